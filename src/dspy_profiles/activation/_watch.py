"""What an activation was made from, and whether it is still so: cheaply, at every activation."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from time import time_ns

from dspy_profiles.config import (
    RACY_NS,
    Document,
    Locations,
    Stamp,
    are_locations_pinned,
    file_stamp,
    locate,
)

__all__ = ["Watch"]

LOOK_EVERY = 1.0  # seconds between two looks for what is rarely there: nearer files, .env, …

Stamps = tuple[tuple[Path, Stamp | None], ...]


class Watch:
    """The state of environment and files that a profile was prepared from.

    Environment, working directory and the profiles files are compared every time; files that may
    newly appear, `.env`, settings and files of secrets once a second.
    """

    __slots__ = (
        "_cwd",
        "_files",
        "_held",
        "_keys",
        "_locations",
        "_next_look",
        "_others",
        "_values",
        "_young",
    )

    def __init__(
        self,
        found: Locations,
        *,
        variables: Iterable[str],
        documents: Iterable[Document],
        others: Iterable[Path],
    ) -> None:
        self._keys = tuple(map(_encode, dict.fromkeys(variables)))
        self._values = tuple(map(_variable, self._keys))
        self._locations = found
        self._cwd = None if are_locations_pinned() else _cwd()
        documents = tuple(documents)
        # Flat and with the path as text: this is compared at every activation.
        self._files = tuple((str(d.path), *d.stamp) for d in documents if d.stamp is not None)
        # A file that was written a moment ago may change once more without a new stamp.
        self._young = tuple(d for d in documents if not d.settled)
        absent = (d.path for d in documents if d.stamp is None)
        self._others: Stamps = _stamps((*others, *absent))
        self._next_look = time.monotonic() + LOOK_EVERY
        self._held = False

    def hold(self) -> None:
        """Treat the state of now as unchanged: its error has been reported.

        For a moment only: the fix may be in a file that is not watched.
        """
        self._values = tuple(map(_variable, self._keys))
        self._cwd = None if self._cwd is None else _cwd()
        stamps = [(path, file_stamp(Path(path))) for path, *_ in self._files]
        self._files = tuple((path, *stamp) for path, stamp in stamps if stamp is not None)
        self._young = ()
        # What was written a moment ago may change once more without a new stamp.
        is_young = any(time_ns() - mtime < RACY_NS for _, mtime, *_ in self._files)
        self._held = True
        self._next_look = time.monotonic() + (0 if is_young else LOOK_EVERY)

    def is_fresh(self) -> bool:
        """Return whether nothing has changed since."""
        if tuple(map(_variable, self._keys)) != self._values:
            return False
        if self._cwd is not None and _cwd() != self._cwd:
            return False
        if not self._are_files_unchanged():
            return False
        now = time.monotonic()
        if now < self._next_look:
            return True
        if self._held:
            return False
        if self._is_elsewhere_unchanged():
            self._next_look = now + LOOK_EVERY
            self._young = ()
            return True
        return False

    def _is_elsewhere_unchanged(self) -> bool:
        if _stamps(path for path, _ in self._others) != self._others:
            return False
        return locate(file=self._locations.named_file) == self._locations

    def _are_files_unchanged(self) -> bool:
        try:
            for path, mtime_ns, size, inode in self._files:
                now = os.stat(path)  # noqa: PTH116 - pathlib is slow
                if now.st_mtime_ns != mtime_ns or now.st_ino != inode or now.st_size != size:
                    return False
        except OSError:
            return False
        return not self._young or all(document.unchanged() for document in self._young)


def _cwd() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is slow
    except OSError:  # it was removed
        return ""


def _stamps(paths: Iterable[Path]) -> Stamps:
    return tuple((path, file_stamp(path)) for path in dict.fromkeys(paths))


def _raw_environment() -> tuple[Callable[[str], object], Callable[[object], object]]:
    """Return how to look a variable up, and how to spell it for that.

    The bytes behind `os.environ` are looked up thirty times as fast as the variables themselves.
    They are an internal of CPython: if they are not as expected, use the ordinary way.
    """
    data = getattr(os.environ, "_data", None)
    encode = getattr(os.environ, "encodekey", None)
    if isinstance(data, dict) and callable(encode):
        return encode, data.get
    return str, os.environ.get  # type: ignore[return-value]


_encode, _variable = _raw_environment()
