"""Amounts as people read them. An unknown amount is shown as unknown."""

from datetime import UTC, datetime

__all__ = [
    "NOTHING",
    "UNKNOWN",
    "clock",
    "count",
    "counted",
    "duration",
    "exact",
    "money",
    "number",
]

UNKNOWN = "unknown"
NOTHING = "–"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
SMALLEST = 0.000_001  # dollars that are still written out


def duration(seconds: float | None) -> str:
    """Return a duration: `12 ms`, `8.2 s`, `3 min 5 s`."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:  # noqa: PLR2004 - what would be written as 1000 ms
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    for unit, name, part, smaller in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(seconds)


def money(cost: float | None) -> str:
    """Return dollars with as many decimal places as they need."""
    if cost is None:
        return UNKNOWN
    if cost == 0:
        return "$0"
    if cost < SMALLEST:
        return f"<${SMALLEST:f}"
    if cost >= 1:
        return f"${cost:,.2f}"
    places = next(places for places in range(2, 8) if cost >= 10**-places)
    return f"${cost:.{places + 1}f}"  # two digits that say something


def exact(cost: float) -> str:
    """Return dollars for a comparison with a limit: all decimal places, at least two."""
    whole, _, places = f"{cost:,.9f}".rstrip("0").partition(".")
    return f"${whole}.{places:0<2}"


def number(value: float | None) -> str:
    """Return a score."""
    return NOTHING if value is None else f"{value:.4g}"


def count(value: int) -> str:
    return f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 trial`, `2,000 trials`."""
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def clock(when: datetime | None) -> str:
    return NOTHING if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
