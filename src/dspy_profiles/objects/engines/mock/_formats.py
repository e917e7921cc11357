"""Generate strings, plain or of a schema's `format`: a date, an address, a UUID."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dspy_profiles.objects.engines.mock._text import Draw

__all__ = ["formatted", "plain_text"]

_START = datetime(2024, 1, 1, tzinfo=UTC)
_FAR_FUTURE = timedelta(days=365 * 900)


def plain_text(name: str, draw: Draw) -> str:
    """Return a few words with the name of the field.

    >>> plain_text("shortAnswer", Draw("hello")).startswith("mock short answer ")
    True
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name)
    return f"mock {spaced.strip().lower() or 'value'} {draw.word()}"


def formatted(schema: Mapping[str, Any], name: str, draw: Draw) -> str | None:
    """Return a string of the schema's format, or None if it has no known format."""
    form = _FORMS.get(str(schema.get("format")))
    if form is None:
        return None
    made = form(draw, plain_text(name, draw))
    scheme = schema.get("x-scheme")
    return f"{scheme}{made.removeprefix('https')}" if scheme and form is _url else made


def _day(draw: Draw, _text: str) -> str:
    return (_START + timedelta(days=draw.below(366))).date().isoformat()


def _moment(draw: Draw) -> datetime:
    return _START + timedelta(seconds=draw.below(366 * 86_400))


def _email(_draw: Draw, text: str) -> str:
    return f"{_dashed(text)}@example.com"


def _url(_draw: Draw, text: str) -> str:
    return f"https://example.com/{_dashed(text)}"


def _dashed(text: str) -> str:
    return text.replace(" ", "-")


def _ipv4(draw: Draw, _text: str) -> str:
    return f"192.0.2.{_number(draw)}"


def _ipv4_network(draw: Draw, _text: str) -> str:
    return f"10.{_number(draw)}.0.0/16"


def _number(draw: Draw) -> int:
    """Return a part of an address."""
    return draw.below(254) + 1


def _uuid(version: int) -> Callable[[Draw, str], str]:
    def made(draw: Draw, _text: str) -> str:
        number = int.from_bytes(draw.digest()[:16], "big")
        number = number & ~(0xF000 << 64) & ~(0xC000 << 48) | version << 76 | 0x8000 << 48
        return str(uuid.UUID(int=number))

    return made


# Each function returns a string from a draw and plain words. Names with a comma are our own, for
# formats that JSON Schema does not have: see `_values`.
_FORMS: dict[str, Callable[[Draw, str], str]] = {
    "date": _day,
    "date, future": lambda draw, _: (_moment(draw) + _FAR_FUTURE).date().isoformat(),
    "date-time": lambda draw, _: _moment(draw).replace(tzinfo=None).isoformat(),
    "date-time, aware": lambda draw, _: _moment(draw).isoformat(),
    "date-time, future": lambda draw, _: (
        (_moment(draw) + _FAR_FUTURE).replace(tzinfo=None).isoformat()
    ),
    "time": lambda draw, _: _moment(draw).time().isoformat(),
    "duration": lambda draw, _: f"PT{1 + draw.below(59)}M",
    "email": _email,
    "name-email": _email,
    "uri": _url,
    "multi-host-uri": _url,
    "ipv4": _ipv4,
    "ipvanyaddress": _ipv4,
    "ipv4interface": lambda draw, text: f"{_ipv4(draw, text)}/24",
    "ipvanyinterface": lambda draw, text: f"{_ipv4(draw, text)}/24",
    "ipv4network": _ipv4_network,
    "ipvanynetwork": _ipv4_network,
    "ipv6": lambda draw, _: f"2001:db8::{_number(draw):x}",
    "ipv6interface": lambda draw, _: f"2001:db8::{_number(draw):x}/64",
    "ipv6network": lambda draw, _: f"2001:db8:{_number(draw):x}::/48",
    "path": lambda _, text: f"/mock/{_dashed(text)}",
    "directory-path": lambda _, __: ".",
    "base64": lambda _, __: "bW9jaw==",
    "base64url": lambda _, __: "bW9jaw==",
    "json-string": lambda _, text: json.dumps(text),
    "regex": lambda _, __: "mock.*",
    "python": lambda _, text: f'print("{text}")',
    "uuid": _uuid(4),
    **{f"uuid{version}": _uuid(version) for version in range(1, 9)},
}
