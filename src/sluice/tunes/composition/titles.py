"""Made-up titles: no tune of the printed collections is called so."""

from __future__ import annotations

import random

ADJECTIVES = (
    "Patient", "Borrowed", "Whistling", "Unlatched", "Copper", "Lopsided", "Drowsy", "Speckled",
    "Forgetful", "Wandering", "Moonlit", "Buttoned", "Crooked", "Humming", "Rainwashed", "Velvet",
)  # fmt: skip
NOUNS = (
    "Kettle", "Lantern", "Gatepost", "Heron", "Teapot", "Ferryman", "Weathercock", "Bellows",
    "Beehive", "Loom", "Haystack", "Otter", "Candlestick", "Wheelbarrow", "Puffin", "Signpost",
)  # fmt: skip
PLACES = (
    "", "", "", " at the Ford", " on the Quay", " in the Orchard", " by the Sluice", " at Low Tide",
    " under the Stairs", " beyond the Mill",
)  # fmt: skip


def generate_title(seed: int) -> str:
    """A title, the same for the same seed.

    >>> generate_title(3) == generate_title(3), generate_title(3).startswith("The ")
    (True, True)
    """
    choose = random.Random(seed).choice
    return f"The {choose(ADJECTIVES)} {choose(NOUNS)}{choose(PLACES)}"
