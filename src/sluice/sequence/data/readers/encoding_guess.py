"""Guesses of the encoding of text that is neither marked nor UTF-8."""

from __future__ import annotations

import unicodedata
from collections import Counter

_CANDIDATES = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "koi8_r", "cp437", "cp850", "cp866"),
    *("mac_roman", "mac_cyrillic", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
MULTIBYTE = frozenset(("cp932", "euc_jp", "gb18030", "big5", "cp949"))
"""Those in which a character may take several bytes."""
_WESTERN = "cp1252"
_NEAR_WESTERN = frozenset(("cp1250", "cp1254", "cp1257", "iso8859_2", "iso8859_15"))
_LETTERS = (
    *("àâæçèéêëîïôœùûüÿ", "äöüß", "áéíñóúü¿¡ºª", "àáâãçéêíóôõúü", "àèéìíîòóùú", "åäöé", "æøåéò"),
    *("éëïóöü", "áðéíóúýþæö", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž"),
    *("áéíóöőúüű", "čšžćđ", "ăâîșțşţ", "ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž", "çğıöşüâîi̇"),
)
"""Beyond ASCII, of the languages of Western and Central Europe and Turkish, one each."""
_PUNCTUATION = frozenset("“”„‘’‚«»‹›–—…•°§€£©®™\xa0")
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_LEAST = 8
"""Characters that a guess of UTF-16 or UTF-32 needs."""


def guess_narrow(sample: bytes) -> str | None:
    """The likeliest encoding of bytes that are not UTF-8, by the library charset-normalizer.

    Of those that differ in few letters, the one whose letters are a single language's; of two
    that fit alike, Windows-1252, which is by far the most common one.

    Raises:
        ImportError: the library is not installed.
    """
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_CANDIDATES).best()
    if best is None:
        return None
    if best.encoding in _NEAR_WESTERN:
        western = _measure_coverage(sample, _WESTERN)
        return _WESTERN if western >= _measure_coverage(sample, best.encoding) else best.encoding
    return best.encoding


def _measure_coverage(sample: bytes, encoding: str) -> float:
    """The share of characters beyond ASCII that a single language accounts for."""
    try:
        text = sample.decode(encoding).lower()
    except UnicodeDecodeError:
        return -1.0
    counts = Counter(one for one in text if one > "\x7f" and one not in _PUNCTUATION)
    covered = (sum(counts[one] for one in set(letters)) for letters in _LETTERS)
    return max(covered) / max(1, counts.total())


def guess_wide(sample: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, if the bytes read as text in one of them.

    >>> guess_wide("Dasselbe noch einmal".encode("utf-16-be"))
    'utf-16-be'
    >>> guess_wide(b"text with one\\0 in it") is None
    True
    """
    for encoding in reversed(_WIDE):
        width = 4 if "32" in encoding else 2
        whole = sample[: len(sample) // width * width]
        if len(whole) < width * _LEAST:
            continue
        if width == 2 and 0xD8 <= whole[-1 if encoding.endswith("le") else -2 :][0] < 0xDC:
            whole = whole[:-2]  # half of a pair
        try:
            text = whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(text) >= _LEAST and _is_plausible(text, sample):
            return encoding
    return None


def _is_plausible(text: str, raw: bytes) -> bool:
    """Whether all is printable, and most of it of one script."""
    kinds = Counter(map(unicodedata.category, text.translate(_BREAKS)))
    if any(kinds[kind] for kind in ("Cc", "Cn", "Co", "Cs")):
        return False
    letters = [ord(one) for one in text if not one.isspace()]
    blocks = Counter("Han" if _is_east_asian(code) else code >> 8 for code in letters)
    if not blocks:
        return False
    (block, count), *_ = blocks.most_common(1)
    if block == "Han":  # pairs of ASCII letters would be read as such
        return count > len(letters) / 2 and not raw.replace(b"\0", b"").isascii()
    return count > len(letters) / 2 and int(block) < 0x20


_BREAKS = dict.fromkeys(map(ord, "\t\n\r\f\v\x1a\x1b"), " ")


def _is_east_asian(code: int) -> bool:
    return 0x3000 <= code < 0xD800 or 0xFF00 <= code < 0xFFF0
