"""What happened, as sentences."""

from __future__ import annotations

from markupsafe import Markup, escape

from sluice.studio.archive.activity import ActivityItem
from sluice.studio.languages import gettext as _


def choose_sentence(item: ActivityItem) -> str:
    """The sentence of a line, with places for `{member}` and `{title}`."""
    sentences = {
        "tune": _("{member} added the tune {title}"),
        "setting": _("{member} added a setting of {title}"),
        "comment": _("{member} commented on {title}"),
        "recording": _("{member} added the recording {title}"),
        "event": _("{member} announced {title}"),
        "book": _("{member} began the tunebook {title}"),
        "month": _("{member} opened the tune of the month {title}"),
    }
    if item.verb == "changed":
        return _("{member} changed {title}")
    return sentences.get(item.subject, "{member}: {title}")


def describe_item(item: ActivityItem) -> Markup:
    """The sentence with links."""
    if item.member is None or item.member.is_blocked:
        member = escape(_("Somebody"))
    else:
        member = _link(f"/members/{item.member.id}", item.member.name)
    sentence = escape(choose_sentence(item))
    return sentence.format(member=member, title=_link(item.named.address, item.named.title))


def write_item(item: ActivityItem, address: str) -> str:
    """The sentence as plain text, for mails, with the address of what it is about."""
    member = item.member.name if item.member and not item.member.is_blocked else _("Somebody")
    sentence = choose_sentence(item).format(member=member, title=f"“{item.named.title}”")
    return f"{sentence}\n  {address}{item.named.address}"


def _link(address: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)
