"""The licences of the printed collections' encodings, and which of them the bundled model used.

The tunes themselves are old enough to be free (printed 1778 to 1907); the question is what those
who typed them in allow.
"""

from __future__ import annotations

from pathlib import Path

from sluice.tunes.notation.abc_file import Block

MUSIC21 = (
    "distributed with the permission of the encoders (and, where needed, the composers or "
    "arrangers) and where permitted under United States copyright law. Some encodings included in "
    "the corpus may not be used for commercial uses or have other restrictions: please see the "
    "licenses embedded in individual compositions or directories for more details."
)
"""From music21/corpus/license.txt (music21 10.5), word for word."""

_SOLD_COLLECTION = "airdsAirs"
_RESERVED_TRANSCRIBER = "norbeck"


def find_exclusion_reason(block: Block) -> str | None:
    """Why an encoding was kept out of the bundled model's training, or None where nothing was.

    O'Neill's and Ryan's carry no terms of their own, so that music21's general permission
    (`MUSIC21`) stands. Jack Campin sold his edition of Aird's Airs on a disc, and his files say
    nothing of other uses. Henrik Norbeck's tune files elsewhere reserve commercial use; whether
    that covers those he gave to the O'Neill project is not said.
    """
    if Path(block.source).parent.name == _SOLD_COLLECTION:
        return "an edition that its encoder sold, without terms for other uses"
    transcribers = [line.text.casefold() for line in block.lines if line.text.startswith("Z:")]
    if any(_RESERVED_TRANSCRIBER in name for name in transcribers):
        return "a transcriber who elsewhere reserves commercial use"
    return None
