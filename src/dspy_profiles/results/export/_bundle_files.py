"""Files in a bundle: checked names, and limited sizes."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from dspy_profiles._reading import open_regular
from dspy_profiles.errors import InvalidFile, Place
from dspy_profiles.results._ids import JOURNAL, is_id

__all__ = ["BROKEN", "COPY", "MANIFEST", "Opened", "is_too_large"]

MANIFEST = "manifest.json"
# All names of files in a bundle: nothing else becomes a path.
NAMES = re.compile(
    r"seal\.json|experiment\.json|trials\.jsonl"
    rf"|journals/{JOURNAL}|blobs/[0-9a-f]{{64}}"
)
MOST_FILES = 200_000
MOST_BYTES = 4 * 2**30  # of all files, unpacked
MOST_OF_ONE = 2**30
MOST_OF_MANIFEST = 64 * 2**20
CHUNK = 2**20
ENCRYPTED = 0x1
FIELDS = {"size", "sha256"}
# What zipfile raises for a file of any content.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(IndexError, KeyError, NotImplementedError, OverflowError, RuntimeError, ValueError),
)
COPY = "copy the folder of the store instead"


class Opened:
    """A bundle that is open for reading. Raises InvalidFile for all errors."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_regular(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._infos = self._listed(self._zip.infolist())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def refused(self, message: str, hint: str | None = None) -> InvalidFile:
        return InvalidFile(message, hint, Place(self._path))

    def read(self, name: str) -> bytes:
        """Return a file up to the limit for manifests. Raises KeyError if it is missing."""
        return b"".join(self._chunks(name, MOST_OF_MANIFEST))

    def check(self, experiment_id: Any, files: Any) -> None:
        """Compare the names and sizes in the manifest with the files."""
        if not isinstance(experiment_id, str) or not is_id(experiment_id):
            raise self.refused("the manifest does not name an experiment")
        if not isinstance(files, dict) or not all(map(_is_sound, files.values())):
            raise self.refused("the manifest does not list the files")
        for name in [*files, *self._infos]:
            if name != MANIFEST and NAMES.fullmatch(name) is None:
                raise self.refused(f'unexpected file "{name}"')
        if set(files) != set(self._infos) - {MANIFEST} or MANIFEST in files:
            raise self.refused("the files are not those of the manifest")
        for name, of in files.items():
            if name.startswith("blobs/") and of["sha256"] != name.removeprefix("blobs/"):
                raise self.refused(f'"{name}" is not named after its hash')
        if is_too_large(files):
            raise self.refused("the bundle is too large", COPY)
        self._check_sizes(files)

    def _check_sizes(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare the sizes in the manifest with those of the archive, before anything is read."""
        for name, of in files.items():
            if self._infos[name].file_size != of["size"]:
                raise self._tampered(name)

    def parts(self, name: str, of: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield a file in parts. Raises InvalidFile if it is not as in the manifest."""
        digest, read = sha256(), 0
        for chunk in self._chunks(name, of["size"]):
            digest.update(chunk)
            read += len(chunk)
            yield chunk
        if (read, digest.hexdigest()) != (of["size"], of["sha256"]):
            raise self._tampered(name)

    def _listed(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        if len(entries) > MOST_FILES:
            raise self.refused("the bundle has too many files")
        for info in entries:
            if info.filename in found:
                raise self.refused(f'"{info.filename}" exists twice')
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self.refused(f'"{info.filename}" is not a regular file')
            known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            if info.flag_bits & ENCRYPTED or not known:
                raise self.refused(f'"{info.filename}" has an unsupported compression')
            found[info.filename] = info
        return found

    def _chunks(self, name: str, most: int) -> Iterator[bytes]:
        """Yield a file in chunks, up to a limit."""
        info, read = self._infos[name], 0
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(CHUNK):
                    read += len(chunk)
                    if read > most:
                        raise self._tampered(name)
                    yield chunk
        except BROKEN as error:
            raise self.refused(f'"{name}" cannot be read: {error}') from None

    def _tampered(self, name: str) -> InvalidFile:
        return self.refused(
            f'"{name}" has changed since it was exported',
            "export the experiment again",
        )


def is_too_large(files: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the files of a bundle are more than anybody takes in."""
    sizes = [of["size"] for of in files.values()]
    return len(sizes) > MOST_FILES or max(sizes, default=0) > MOST_OF_ONE or sum(sizes) > MOST_BYTES


def _is_sound(of: Any) -> bool:
    return (
        isinstance(of, dict)
        and set(of) == FIELDS
        and type(of["size"]) is int
        and of["size"] >= 0
        and isinstance(of["sha256"], str)
    )
