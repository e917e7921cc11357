"""Names that sort by time: of experiments, trials and events."""

import os
import re
import time
from datetime import UTC, datetime
from threading import Lock

__all__ = ["begun", "is_id", "new_id"]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, as in ULIDs
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
LENGTH = 26
LAST = 253_402_300_799_000  # milliseconds: no datetime is later
SHAPE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")

_last = 0
_prefix = (-1, "")
_process = ""  # of 13 characters, drawn once for each process


def new_id() -> str:
    """48 bits of milliseconds, 16 of a count, and 64 random ones that tell processes apart.

    Later ones of one process sort behind earlier ones, also within a millisecond and when the clock
    is set back.
    """
    global _last, _prefix  # noqa: PLW0603 - one series for the whole process
    now = time.time_ns() // 1_000_000 << 16
    with _lock:
        _last = number = now if now > _last else _last + 1
    known, text = _prefix  # of 16 milliseconds
    if known != number >> 20:
        known, text = _prefix = number >> 20, _written(number)[:-4]
    return text + PAIRS[number >> 10 & 1023] + PAIRS[number & 1023] + _process


def is_id(text: object) -> bool:
    """Whether this may be one of ours: nothing else ever becomes part of a path."""
    return isinstance(text, str) and SHAPE.fullmatch(text) is not None


def begun(name: str) -> datetime:
    """When a name was given, to the millisecond."""
    number = 0
    for character in name[: LENGTH // 2]:
        number = number << 5 | ALPHABET.index(character)
    return datetime.fromtimestamp(min(number >> 16, LAST) / 1000, UTC)


def _written(number: int) -> str:
    """64 bits as 13 characters."""
    return (
        ALPHABET[number >> 60]
        + PAIRS[number >> 50 & 1023]
        + PAIRS[number >> 40 & 1023]
        + PAIRS[number >> 30 & 1023]
        + PAIRS[number >> 20 & 1023]
        + PAIRS[number >> 10 & 1023]
        + PAIRS[number & 1023]
    )


def _begin() -> None:
    global _last, _lock, _process  # noqa: PLW0603
    _last, _lock = 0, Lock()
    _process = _written(int.from_bytes(os.urandom(8), "big"))


_lock = Lock()
_begin()
if hasattr(os, "register_at_fork"):  # a fork would go on with its parent's numbers
    os.register_at_fork(after_in_child=_begin)
