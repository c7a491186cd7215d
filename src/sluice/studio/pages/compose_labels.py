"""What dances, keys, modes and meters are called on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sluice.studio.languages import gettext as _

Choice = tuple[str, str]


def name_dance(dance: str) -> str:
    """A dance, as it is called in the visitor's language."""
    names = {
        "reel": _("Reel"),
        "jig": _("Jig"),
        "slip jig": _("Slip jig"),
        "hornpipe": _("Hornpipe"),
        "polka": _("Polka"),
        "slide": _("Slide"),
        "waltz": _("Waltz"),
        "air": _("Air"),
        "march": _("March"),
        "strathspey": _("Strathspey"),
        "clog": _("Clog"),
    }
    return names.get(dance, dance.capitalize())


def name_mode(mode: str) -> str:
    """A mode, as it is called in the visitor's language."""
    names = {
        "maj": _("Major"),
        "min": _("Minor"),
        "dor": _("Dorian"),
        "mix": _("Mixolydian"),
        "lyd": _("Lydian"),
        "phr": _("Phrygian"),
        "loc": _("Locrian"),
    }
    return names.get(mode, mode)


def name_key(key: str) -> str:
    """A key such as `Em`, `F#m` or `Ador`, with its mode in words where it has one."""
    length = 2 if key[1:2] in ("#", "b") else 1
    tonic, mode = key[:length], key[length:]
    shown = tonic.replace("#", "♯").replace("b", "♭") if length == 2 else tonic
    if not mode:
        return shown
    return f"{shown} {name_mode('min' if mode == 'm' else mode).lower()}"


def list_choices(models: Iterable[Any]) -> dict[str, dict[str, list[Choice]]]:
    """What may be chosen of each model, by its fingerprint and the field's name."""
    return {
        model.fingerprint: {
            "dance": [(dance, name_dance(dance)) for dance in model.dances],
            "key": [(key, name_key(key)) for key in model.keys],
            "mode": [(mode, name_mode(mode)) for mode in model.modes],
            "meter": [(meter, meter) for meter in model.meters],
        }
        for model in models
    }


def describe_options(options: Mapping[str, Any]) -> str:
    """The options that were chosen, in a line: `Jig · 6/8 · Em · seed 42`."""
    parts = []
    if options.get("dance"):
        parts.append(name_dance(options["dance"]))
    if options.get("meter"):
        parts.append(str(options["meter"]))
    if options.get("key"):
        parts.append(name_key(str(options["key"])))
    if options.get("mode") and not options.get("key"):
        parts.append(name_mode(str(options["mode"])))
    parts.append(_("seed {seed}").format(seed=options.get("seed", "")))
    return " · ".join(parts)
