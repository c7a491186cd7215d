"""Music of several parts: Bach's chorales, composed note by note by a biaxial network.

from sluice import chorales

composer = chorales.load_composer()
melody = chorales.read_roll("melody.musicxml")
harmonised = composer.harmonise(melody, seed=1)
parts = chorales.separate_voices(harmonised.roll, melody_on_top=True)
chorales.write_pieces([parts], "out", ["pdf", "mid"], [chorales.Presentation("Title")])
"""

from sluice.chorales.composer import ChoraleComposer as ChoraleComposer
from sluice.chorales.composer import ComposedChorale as ComposedChorale
from sluice.chorales.corpus import load_chorales as load_chorales
from sluice.chorales.corpus import split_chorales as split_chorales
from sluice.chorales.errors import ChoraleError as ChoraleError
from sluice.chorales.output import Presentation as Presentation
from sluice.chorales.output import write_pieces as write_pieces
from sluice.chorales.parts import Parts as Parts
from sluice.chorales.parts import separate_voices as separate_voices
from sluice.chorales.plan import Plan as Plan
from sluice.chorales.pretrained import load_composer as load_composer
from sluice.chorales.readers.files import read_roll as read_roll
from sluice.chorales.readers.files import read_rolls as read_rolls
from sluice.chorales.roll import Roll as Roll
