"""Storage in a folder, with a subfolder for each experiment."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from dspy_profiles._reading import MEGABYTE, open_regular, read_regular
from dspy_profiles.config import write_atomically
from dspy_profiles.errors import Place, StoreError
from dspy_profiles.results._ids import is_id, is_journal
from dspy_profiles.results.journal._base import Durability, FirstLine, Journal
from dspy_profiles.results.journal._file import FileJournal, is_held

__all__ = ["FolderStorage"]

LONGEST_LINE = 64 * MEGABYTE  # long texts have files of their own
TOO_LONG = "a line is longer than 64 MB"
LARGEST = 1024 * MEGABYTE  # of a document or a long text
CHUNK = MEGABYTE
# For what cannot have been written by us.
HINTS = {
    errno.ELOOP: "replace the link by what it names, or remove it",
    errno.EINVAL: "remove it: it was not written by dspy-profiles",
    errno.EISDIR: "remove it: it was not written by dspy-profiles",
    errno.EFBIG: "remove it: it was not written by dspy-profiles",
}


class FolderStorage:
    """`experiments/ID/` holds an experiment's journals and documents, `blobs/` the long texts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.fspath(root)  # joining strings is faster than joining paths
        self._checked: set[str] = set()  # folders that are not links
        self._kept: set[str] = set()

    def begin(self, experiment_id: str, durability: Durability, first: FirstLine) -> Journal:
        try:
            folder = self._folder(experiment_id)
            folder.mkdir(parents=True, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not os.path.lexists(ignore):
                ignore.write_bytes(b"*\n")
            return FileJournal(folder, self, durability, first)
        except OSError as error:
            raise self._failed(error) from error

    def ids(self) -> list[str]:
        with (
            self._readable(),
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._experiments) as found,
        ):
            return sorted((e.name for e in found if is_id(e.name)), reverse=True)
        return []

    def names(self, experiment_id: str) -> list[str]:
        with (
            self._readable(),
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._folder(experiment_id)) as found,
        ):
            return sorted(each.name for each in found if is_journal(each.name))
        return []

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        with self._readable(), self._open(experiment_id, name) as file:
            file.seek(start)
            while end is None or start < end:
                limit = LONGEST_LINE if end is None else min(LONGEST_LINE, end - start)
                line = file.readline(limit)
                if not line:
                    return
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    raise OSError(errno.EFBIG, TOO_LONG, self._file(experiment_id, name))
                start += len(line)
                yield line

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        digest, read = sha256(), 0
        with (
            self._readable(),
            suppress(FileNotFoundError, NotADirectoryError),
            self._open(experiment_id, name) as file,
        ):
            while chunk := file.read(CHUNK if size is None else min(CHUNK, size - read)):
                digest.update(chunk)
                read += len(chunk)
        return read, digest.hexdigest()

    def is_alive(self, experiment_id: str) -> bool:
        folder = self._experiments / experiment_id
        return any(is_held(folder / name) for name in self.names(experiment_id))

    def blob(self, name: str) -> bytes | None:
        with self._readable(), suppress(FileNotFoundError):
            return read_regular(self._blob(name), LARGEST, links=False)
        return None

    def keep(self, text: bytes, *, safely: bool = False) -> str:
        """Store a long text, unless it exists. Called before the line that refers to it."""
        name = sha256(text).hexdigest()
        if name in self._kept:
            return name
        path = self._blob(name)
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text, safely=safely)
        if len(self._kept) < 2**17:  # only names: a few megabytes at most
            self._kept.add(name)
        return name

    def document(self, experiment_id: str, name: str) -> bytes | None:
        with self._readable(), suppress(FileNotFoundError, NotADirectoryError):
            return read_regular(self._file(experiment_id, name), LARGEST, links=False)
        return None

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        try:
            path = self._folder(experiment_id) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data, safely=True, mode=0o444)
        except OSError as error:
            raise self._failed(error) from error

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        try:
            path = self._folder(experiment_id) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data, safely=True, mode=0o444, overwrite=False)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed(error) from error
        return True

    def adopt(self, experiment_id: str, name: str, lines: Iterator[bytes]) -> None:
        self.put_document(experiment_id, name, b"".join(lines))

    def place(self, experiment_id: str, name: str) -> str:
        return str(self._experiments / experiment_id / name)

    @property
    def _experiments(self) -> Path:
        return self.root / "experiments"

    def _folder(self, experiment_id: str) -> Path:
        return Path(self._own("experiments", experiment_id))

    def _file(self, experiment_id: str, name: str) -> str:
        """Return the path of a journal or document. Raises OSError for a link on the way."""
        return f"{self._own('experiments', experiment_id)}{os.sep}{name}"

    def _blob(self, name: str) -> Path:
        return Path(self._own("blobs", name[:2]), name)

    def _own(self, outer: str, inner: str) -> str:
        """Return a folder of ours, two levels below the root: nobody may lead us elsewhere."""
        above = f"{self._root}{os.sep}{outer}"
        folder = f"{above}{os.sep}{inner}"
        if os.path.islink(folder) or (  # noqa: PTH114 - for each file that is read
            outer not in self._checked and os.path.islink(above)  # noqa: PTH114
        ):
            raise OSError(errno.ELOOP, "a symbolic link", folder)
        self._checked.add(outer)
        return folder

    def _open(self, experiment_id: str, name: str) -> BinaryIO:
        return open_regular(self._file(experiment_id, name), links=False)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Convert errors of reading to StoreError, except for a missing file."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"the result store cannot be read: {error.strerror or error}",
                hint=HINTS.get(error.errno or 0, "check the permissions of its folder and files"),
                where=Place(Path(error.filename or self.root)),
            ) from error

    def _failed(self, error: OSError) -> StoreError:
        why = error.strerror or str(error)
        return StoreError(
            f"the result store cannot be written: {why}",
            hint="free disk space, check the permissions of the folder, or use another store",
            where=Place(Path(error.filename2 or error.filename or self.root)),  # not the draft
        )


def _write(
    path: Path, data: bytes, *, safely: bool, mode: int = 0o644, overwrite: bool = True
) -> None:
    """Write a file completely, or not at all. Never follows a link, which may lead elsewhere."""
    if os.path.islink(path):  # noqa: PTH114 - for each long text
        raise OSError(errno.ELOOP, "a symbolic link", str(path))
    with write_atomically(
        path, new_mode=mode, unique=True, sync=safely, overwrite=overwrite, raw_errors=True
    ) as file:
        file.write(data)
