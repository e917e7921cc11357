"""Open files that others may have written: regular files only, of a limited size and depth."""

# Read by modules that start in a millisecond.
# ruff: noqa: PTH114 - Path.is_symlink imports pathlib

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["DEEPEST", "MEGABYTE", "is_too_deep", "open_regular", "read_regular", "read_text"]

MEGABYTE = 2**20
DEEPEST = 200  # tables and lists in each other: orjson writes 254, Python's stack holds 1,000
_CHUNK = MEGABYTE
# Without O_NONBLOCK, opening a named pipe would wait for a writer.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_regular(
    path: "str | os.PathLike[str]", most: int | None = None, *, links: bool = True
) -> "BinaryIO":
    """Open a regular file. Raises OSError for a folder, a pipe, a device, or a larger file.

    `/dev/null` is an empty file. Without `links`, a symbolic link is an error as well.
    """
    descriptor, _ = _opened(path, most, links)
    return os.fdopen(descriptor, "rb")


def read_regular(path: "str | os.PathLike[str]", most: int, *, links: bool = True) -> bytes:
    """Return the content of such a file."""
    descriptor, size = _opened(path, most, links)
    try:
        content = os.read(descriptor, min(size, most) + 1)
        if len(content) == size:  # as it is nearly always
            return content
        parts, read = [content], len(content)
        while read <= most and (content := os.read(descriptor, _CHUNK)):
            parts.append(content)
            read += len(content)
        if read > most:  # it grows, or is a file of the system that does not tell its size
            raise _too_large(path, most)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def read_text(path: "str | os.PathLike[str]", most: int) -> str:
    """Return the text of such a file, with line feeds as line ends. Raises UnicodeDecodeError."""
    text = read_regular(path, most).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def is_too_deep(value: object, brackets: int) -> bool:
    """Return whether data nests deeper than `DEEPEST`. `brackets` is how many its text has."""
    if brackets <= DEEPEST:  # as it is nearly always
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)  # type: ignore[attr-defined]
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _opened(path: "str | os.PathLike[str]", most: int | None, links: bool) -> "tuple[int, int]":
    """Return the descriptor of a regular file, and its size."""
    if not links and not _NO_LINK and os.path.islink(path):
        raise OSError(errno.ELOOP, "a symbolic link", os.fspath(path))
    try:
        descriptor = os.open(path, _FLAGS if links else _FLAGS | _NO_LINK)
    except OSError as error:
        if not links and error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a symbolic link", os.fspath(path)) from None
        if error.errno == errno.ENXIO:  # a socket, or a pipe that nobody reads
            raise _not_regular(path) from None
        raise
    try:
        status = os.fstat(descriptor)
        _check(path, status, most)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def _check(path: "str | os.PathLike[str]", status: os.stat_result, most: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode) and os.fspath(path) != os.devnull:
        raise _not_regular(path)
    if most is not None and status.st_size > most:
        raise _too_large(path, most)


def _not_regular(path: "str | os.PathLike[str]") -> OSError:
    return OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def _too_large(path: "str | os.PathLike[str]", most: int) -> OSError:
    megabytes = f"larger than {most // MEGABYTE:,} MB"
    return OSError(errno.EFBIG, megabytes, os.fspath(path))
