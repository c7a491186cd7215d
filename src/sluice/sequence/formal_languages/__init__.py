"""Formal languages as data for sequence models: exact labels for words of any length.

>>> from sluice.sequence import formal_languages
>>> formal_languages.parity().label_prefixes("1011")
[False, True, True, False, True]
"""

from sluice.sequence.formal_languages.counters import counting as counting
from sluice.sequence.formal_languages.counters import dyck as dyck
from sluice.sequence.formal_languages.language import FormalLanguage as FormalLanguage
from sluice.sequence.formal_languages.programs import memory_program as memory_program
from sluice.sequence.formal_languages.regular import parity as parity
from sluice.sequence.formal_languages.regular import tomita as tomita
