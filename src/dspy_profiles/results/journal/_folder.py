"""Storage in a folder, with a subfolder for each experiment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from dspy_profiles.config import write_atomically
from dspy_profiles.errors import Place, StoreError
from dspy_profiles.results._ids import is_id
from dspy_profiles.results.journal._base import Durability, FirstLine, Journal
from dspy_profiles.results.journal._file import FileJournal, is_held

__all__ = ["FolderStorage"]

LONGEST_LINE = 256 * 2**20  # a longer line is not one of a journal
CHUNK = 2**20


class FolderStorage:
    """`experiments/ID/` holds an experiment's journals and documents, `blobs/` the long texts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: set[str] = set()

    def begin(self, experiment_id: str, durability: Durability, first: FirstLine) -> Journal:
        try:
            folder = self._folder(experiment_id)
            folder.mkdir(parents=True, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not ignore.exists():
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
        return sorted(path.name for path in self._folder(experiment_id).glob("journal-*.jsonl"))

    def lines(
        self, experiment_id: str, name: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        with self._readable(), (self._folder(experiment_id) / name).open("rb") as file:
            file.seek(start)
            while end is None or start < end:
                limit = LONGEST_LINE if end is None else min(LONGEST_LINE, end - start)
                line = file.readline(limit)
                if not line:
                    return
                start += len(line)
                yield line

    def digest(self, experiment_id: str, name: str, size: int | None = None) -> tuple[int, str]:
        digest, read = sha256(), 0
        with (
            self._readable(),
            suppress(FileNotFoundError),
            (self._folder(experiment_id) / name).open("rb") as file,
        ):
            while chunk := file.read(CHUNK if size is None else min(CHUNK, size - read)):
                digest.update(chunk)
                read += len(chunk)
        return read, digest.hexdigest()

    def is_alive(self, experiment_id: str) -> bool:
        folder = self._folder(experiment_id)
        return any(is_held(folder / name) for name in self.names(experiment_id))

    def blob(self, name: str) -> bytes | None:
        with self._readable(), suppress(FileNotFoundError):
            return self._blob(name).read_bytes()
        return None

    def keep(self, text: bytes, *, safely: bool = False) -> str:
        """Store a long text, unless it exists. Called before the line that refers to it."""
        name = sha256(text).hexdigest()
        if name in self._kept:
            return name
        path = self._blob(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text, safely=safely)
        if len(self._kept) < 2**17:  # only names: a few megabytes at most
            self._kept.add(name)
        return name

    def document(self, experiment_id: str, name: str) -> bytes | None:
        with self._readable(), suppress(FileNotFoundError, NotADirectoryError):
            return (self._folder(experiment_id) / name).read_bytes()
        return None

    def put_document(self, experiment_id: str, name: str, data: bytes) -> None:
        try:
            path = self._folder(experiment_id) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, data, safely=True, mode=0o444)
        except OSError as error:
            raise self._failed(error) from error

    def put_first(self, experiment_id: str, name: str, data: bytes) -> bool:
        path = self._folder(experiment_id) / name
        try:
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
        return str(self._folder(experiment_id) / name)

    @property
    def _experiments(self) -> Path:
        return self.root / "experiments"

    def _folder(self, experiment_id: str) -> Path:
        return self._experiments / experiment_id

    def _blob(self, name: str) -> Path:
        return self.root / "blobs" / name[:2] / name

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
                hint="check the permissions of its folder and files",
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
    """Write a file completely, or not at all."""
    with write_atomically(
        path, new_mode=mode, unique=True, sync=safely, overwrite=overwrite, raw_errors=True
    ) as file:
        file.write(data)
