"""Texts in the visitor's language."""

from sluice.studio.languages import choose_language as choose_language
from sluice.studio.languages import get_language as get_language
from sluice.studio.languages import gettext as gettext
from sluice.studio.languages import list_languages as list_languages
from sluice.studio.languages import ngettext as ngettext
from sluice.studio.languages import set_language as set_language
