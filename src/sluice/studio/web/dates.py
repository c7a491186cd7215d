"""Dates and times in the visitor's language, as filters of templates."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.core import UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from markupsafe import Markup

from sluice.studio.languages import get_language


def write_day(value: date | datetime, style: str = "long") -> Markup:
    """A day, such as “27 November 2026”; of a moment that in UTC."""
    # American order would be a surprise on a site that writes 24 hours.
    language = get_language()
    locale = "en_GB" if language == "en" else language
    try:
        text = format_date(value, style, locale=locale)
    except UnknownLocaleError:
        text = f"{value:%Y-%m-%d}"
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), text)


def write_moment(value: datetime, zone: str = "UTC", style: str = "full") -> Markup:
    """A moment by the clocks of a place, such as “Friday 27 November 2026, 20:00 (Europe/Dublin)”.

    Args:
        zone: the name of the place's time zone.
        style: of the day: `full`, `long`, `medium` or `short`.
    """
    local = value.astimezone(ZoneInfo(zone))
    language = get_language()
    locale = "en_GB" if language == "en" else language
    text = f"{format_date(local, style, locale=locale)}, {format_time(local, 'HH:mm')} ({zone})"
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), text)


def write_clock(value: datetime, zone: str = "UTC") -> str:
    """The hour and minute of a moment by the clocks of a place."""
    return f"{value.astimezone(ZoneInfo(zone)):%H:%M}"


def write_input_time(value: datetime | None, zone: str = "UTC") -> str:
    """A moment as `<input type="datetime-local">` has it, by the clocks of a place."""
    return "" if value is None else f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def write_length(seconds: float) -> str:
    """A length of time such as “3:07”."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def write_number(value: float) -> str:
    """A number with the separators of the language."""
    return format_decimal(value, locale=get_language())


FILTERS = {
    "day": write_day,
    "moment": write_moment,
    "clock": write_clock,
    "input_time": write_input_time,
    "length_of_time": write_length,
    "number": write_number,
}
