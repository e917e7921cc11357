"""Ids of experiments, trials and events, which sort by time."""

import os
import re
import time
from datetime import UTC, datetime
from threading import Lock

__all__ = ["JOURNAL", "begun", "is_hash", "is_id", "is_journal", "new_id"]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, as in ULIDs
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
LENGTH = 26
LAST = 253_370_764_799_000  # milliseconds: the last year that has a time in every zone
SHAPE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
JOURNAL = r"journal-[0-9]{1,20}(?:-[0-9]{1,20})?\.jsonl"
JOURNALS = re.compile(JOURNAL)
HASH = re.compile("[0-9a-f]{64}")

_last = 0
_prefix = (-1, "")
_process = ""  # 13 random characters, once for each process


def new_id() -> str:
    """Return 48 bits of milliseconds, a counter of 16, and 64 random bits of the process.

    Ids of one process sort in the order of the calls, even within a millisecond, and even if the
    clock is set back.
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
    """Return whether a value is an id. Only ids become names of folders."""
    return isinstance(text, str) and SHAPE.fullmatch(text) is not None


def is_journal(text: object) -> bool:
    """Return whether a value is the name of a journal. Seals and bundles name only such files."""
    return isinstance(text, str) and JOURNALS.fullmatch(text) is not None


def is_hash(text: object) -> bool:
    """Return whether a value is a SHA-256, the name of a long text."""
    return isinstance(text, str) and HASH.fullmatch(text) is not None


def begun(name: str) -> datetime:
    """Return when an id was created, to the millisecond."""
    number = 0
    for character in name[: LENGTH // 2]:
        number = number << 5 | ALPHABET.index(character)
    return datetime.fromtimestamp(min(number >> 16, LAST) / 1000, UTC)


def _written(number: int) -> str:
    """Return 64 bits as 13 characters."""
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
if hasattr(os, "register_at_fork"):  # a fork would continue with the numbers of its parent
    os.register_at_fork(after_in_child=_begin)
