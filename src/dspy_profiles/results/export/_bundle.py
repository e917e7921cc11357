"""An experiment in one file: a zip archive with its journals, and a hash of everything in it.

A bundle is imported only after all of it was compared with these hashes, and these with the seal.
They detect damage and changes, but do not identify the author of the file.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from dspy_profiles.errors import InvalidFile, Place, StoreError
from dspy_profiles.results._model import Experiment
from dspy_profiles.results.export._bundle_files import BROKEN, COPY, MANIFEST, Opened, is_too_large
from dspy_profiles.results.journal import _archive
from dspy_profiles.results.journal._base import JournalStorage, held
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store._protocol import Store

__all__ = ["Imported", "export_bundle", "import_bundle"]

FORMAT = "dspy-profiles experiment"
VERSION = 1
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip archive
UNIX = 3
READABLE = 0o100644 << 16
EXPORT_AGAIN = "export it again from its store: dspy-profiles results export"


@dataclass(frozen=True)
class Imported:
    """An imported experiment."""

    experiment: Experiment
    was_there: bool


def export_bundle(experiment_id: str, store: Store, to: IO[bytes]) -> None:
    """Write a closed experiment. The bytes depend only on the experiment."""
    with held(store.storage):
        _export(store, store.get_experiment(experiment_id).id, to)


def import_bundle(path: Path, store: Store) -> Imported:
    """Import an experiment with its ids, after every byte of the file was checked.

    Safe to call twice. Raises InvalidFile for a changed file, a later version or another kind of
    file; the store is then unchanged.
    """
    with tempfile.TemporaryDirectory(prefix="dspy-profiles-") as folder, _opened(path) as opened:
        manifest = _manifest(opened)
        unpacked = _unpacked(opened, manifest, Path(folder))
        _check(unpacked, manifest["id"], Place(path))
        return _taken_over(unpacked, manifest["id"], store)


def _export(store: Store, experiment_id: str, to: IO[bytes]) -> None:
    storage = store.storage
    sealed = _archive.seal_of(storage, experiment_id)
    if sealed is None:
        raise StoreError(
            f"the experiment {experiment_id} is not closed yet",
            "wait until it ends; dspy-profiles results recover closes a dead one",
        )
    _check(store, experiment_id)
    files = dict(_files(storage, experiment_id, sealed))
    if is_too_large(files):
        raise StoreError(f"the experiment {experiment_id} is too large for one file", COPY)
    manifest = {"format": FORMAT, "v": VERSION, "id": experiment_id, "files": files}
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        _add(made, MANIFEST, [json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n"])
        for name, of in files.items():
            _add(made, name, _content(storage, experiment_id, name, of["size"]))


def _opened(path: Path) -> Opened:
    try:
        return Opened(path)
    except BROKEN as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidFile(f"not a readable bundle: {why}", where=Place(path)) from None


def _check(store: Store, experiment_id: str, place: Place | None = None) -> None:
    """Raise StoreError or InvalidFile for an experiment that was tampered with."""
    wrong = [fault for fault in store.verify(experiment_id) if fault.kind == "tampered"]
    if not wrong:
        return
    more = f" (and {len(wrong) - 1} more errors)" if len(wrong) > 1 else ""
    if place is None:
        raise StoreError(
            f"{wrong[0].message}{more}",
            f"dspy-profiles results verify {experiment_id} shows all errors",
            wrong[0].where,
        )
    raise InvalidFile(f"the bundle is damaged: {wrong[0].message}{more}", EXPORT_AGAIN, place)


def _files(
    storage: JournalStorage, experiment_id: str, sealed: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of a bundle with their paths, in order."""
    for name, of in sorted(sealed["journals"].items()):
        yield f"journals/{name}", {"size": of["size"], "sha256": of["sha256"]}
    for name in _archive.DOCUMENTS:
        data = storage.document(experiment_id, name)
        if data is not None:
            yield name, {"size": len(data), "sha256": sha256(data).hexdigest()}
    for name in sorted(_long_texts(storage, experiment_id, sealed)):
        text = storage.blob(name)
        if text is None:
            raise StoreError(
                f"a long text of the experiment {experiment_id} is missing",
                f"dspy-profiles results verify {experiment_id} shows which",
            )
        yield f"blobs/{name}", {"size": len(text), "sha256": name}


def _long_texts(storage: JournalStorage, experiment_id: str, sealed: Mapping[str, Any]) -> set[str]:
    """Return the long texts to which the journals refer."""
    names: set[str] = set()
    for name, of in sealed["journals"].items():
        for line in storage.lines(experiment_id, name, 0, of["size"]):
            names |= _archive.long_texts_in(line)
    return names


def _content(storage: JournalStorage, experiment_id: str, name: str, size: int) -> Iterator[bytes]:
    folder, _, base = name.rpartition("/")
    if folder == "journals":
        yield from storage.lines(experiment_id, base, 0, size)
    elif folder == "blobs":
        yield storage.blob(base) or b""
    else:
        yield storage.document(experiment_id, name) or b""


def _add(made: zipfile.ZipFile, name: str, content: Iterable[bytes]) -> None:
    about = zipfile.ZipInfo(name, EPOCH)
    about.compress_type = zipfile.ZIP_DEFLATED
    about.create_system, about.external_attr = UNIX, READABLE
    with made.open(about, "w", force_zip64=True) as file:
        for part in content:
            file.write(part)


def _manifest(opened: Opened) -> dict[str, Any]:
    """Return the manifest. Raises InvalidFile."""
    try:
        found = json.loads(opened.read(MANIFEST))
    except (ValueError, KeyError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise opened.refused(
            "not a bundle of an experiment", "write one with dspy-profiles results export"
        )
    if found.get("v") != VERSION:
        raise opened.refused(
            f"the bundle has version {found.get('v')}, and only {VERSION} is supported",
            "pip install -U dspy-profiles",
        )
    opened.check(found.get("id"), found.get("files"))
    return found


def _unpacked(opened: Opened, manifest: Mapping[str, Any], folder: Path) -> Store:
    """Return a temporary store with only this experiment, after its hashes were checked."""
    storage = FolderStorage(folder)
    experiment_id: str = manifest["id"]
    for name, of in manifest["files"].items():
        part, _, base = name.rpartition("/")
        if part == "journals":
            storage.adopt(experiment_id, base, opened.parts(name, of))
        elif part == "blobs":
            storage.keep(b"".join(opened.parts(name, of)))
        else:
            storage.put_document(experiment_id, base, b"".join(opened.parts(name, of)))
    sealed = _archive.seal_of(storage, experiment_id)
    if sealed is None or sealed.get("id") != experiment_id:
        raise opened.refused("the seal is missing, or belongs to another experiment", EXPORT_AGAIN)
    if set(sealed["journals"]) != set(storage.names(experiment_id)):
        raise opened.refused("the journals are not those of the seal", EXPORT_AGAIN)
    # `verify` checks the files that the summary names: it must name all of them.
    if not _is_summary(storage.document(experiment_id, _archive.SUMMARY), experiment_id, sealed):
        raise opened.refused(
            "the summary is missing, or belongs to another experiment", EXPORT_AGAIN
        )
    texts = {name.removeprefix("blobs/") for name in manifest["files"] if "blobs/" in name}
    if texts != _long_texts(storage, experiment_id, sealed):
        raise opened.refused("the long texts are not those of the journals", EXPORT_AGAIN)
    return BaseStore(f"file:{folder}", storage)


def _is_summary(document: bytes | None, experiment_id: str, sealed: Mapping[str, Any]) -> bool:
    found = _archive.parsed(document) or {}
    files = found.get("files")
    names = {*sealed["journals"], _archive.SEAL, _archive.TRIALS}
    return found.get("id") == experiment_id and isinstance(files, dict) and set(files) == names


@dataclass(frozen=True)
class _Carried:
    """An experiment for `archive_experiment`, with its store."""

    id: str
    store: Store


def _taken_over(source: Store, experiment_id: str, store: Store) -> Imported:
    storage, seal = store.storage, source.storage.document(experiment_id, _archive.SEAL)
    there = storage.document(experiment_id, _archive.SEAL)
    was_there = there is not None and there == seal
    is_free = there is None and _is_begun(storage, source.storage, experiment_id)
    if not was_there and not is_free:
        raise StoreError(
            f"{store.url} has another experiment with the id {experiment_id}",
            f"dspy-profiles results verify {experiment_id} checks it; or import into another store",
        )
    if not was_there:
        _archive.adopt(storage, source.storage, experiment_id)
    # An import that was interrupted may have left a seal without the rest.
    return Imported(store.archive_experiment(_Carried(experiment_id, source)), was_there)


def _is_begun(storage: JournalStorage, source: JournalStorage, experiment_id: str) -> bool:
    """Return whether the store has nothing of it, or only a part from an interrupted import."""
    there, ours = storage.names(experiment_id), set(source.names(experiment_id))
    return not storage.is_alive(experiment_id) and all(
        name in ours and storage.digest(experiment_id, name) == source.digest(experiment_id, name)
        for name in there
    )
