"""The documents of a closed experiment: its seal, its summary, its trials.

The seal contains the status at the end and the hashes of the journals, and is written once. The
other documents are made from it and the journals, each time with the same result.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from dspy_profiles.errors import StoreError
from dspy_profiles.results._ids import is_journal
from dspy_profiles.results._model import VERSION, Experiment, Fault, Trial, moment, written
from dspy_profiles.results.journal._assemble import assemble
from dspy_profiles.results.journal._base import JournalStorage, held
from dspy_profiles.results.journal._read import parsed_json

__all__ = [
    "DOCUMENTS",
    "SEAL",
    "SUMMARY",
    "TRIALS",
    "adopt",
    "long_texts_in",
    "parsed",
    "seal",
    "seal_of",
    "summary",
    "trials",
    "verify",
    "write",
]

SEAL, SUMMARY, TRIALS = "seal.json", "experiment.json", "trials.jsonl"
LARGEST = 2**53  # bytes: no journal is larger
DOCUMENTS = (SEAL, SUMMARY, TRIALS)
BLOB = re.compile(rb'"\$blob":"([0-9a-f]{64})"')
READABLE = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def seal(storage: JournalStorage, experiment_id: str, status: str, **more: Any) -> bool:
    """Close an experiment with its journals as they are. False: it is closed already."""
    journals = {}
    for name in storage.names(experiment_id):
        size, digest = storage.digest(experiment_id, name)
        journals[name] = {"size": size, "sha256": digest}
    content = {"v": VERSION, "id": experiment_id, "status": status, **more, "journals": journals}
    content = {k: written(v) if isinstance(v, datetime) else v for k, v in content.items()}
    return storage.put_first(experiment_id, SEAL, orjson.dumps(content, option=READABLE))


def seal_of(storage: JournalStorage, experiment_id: str) -> dict[str, Any] | None:
    """Return the seal; None if the experiment is open, or the seal is damaged."""
    found = parsed(storage.document(experiment_id, SEAL))
    journals = None if found is None else found.get("journals")
    if found is None or not isinstance(found.get("status"), str) or not isinstance(journals, dict):
        return None
    is_sound = all(is_journal(name) and _is_size(of) for name, of in journals.items())
    return found if is_sound and _is_time(found.get("ended")) else None


def write(storage: JournalStorage, experiment_id: str, seal: Mapping[str, Any]) -> None:
    """Write summary and trials, made from the journals."""
    assembled = assemble(storage, experiment_id, seal)
    lines = [
        orjson.dumps(
            {**trial.to_json(), "lines": assembled.stretches.get(trial.id, {})},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for trial in assembled.trials
    ]
    storage.put_document(experiment_id, TRIALS, b"".join(lines))
    files: dict[str, Any] = dict(seal["journals"])
    for name in (SEAL, TRIALS):
        size, digest = storage.digest(experiment_id, name)
        files[name] = {"size": size, "sha256": digest}
    content = {**assembled.experiment.to_json(), "files": files}
    content["hash"] = _hash(content)
    storage.put_document(experiment_id, SUMMARY, orjson.dumps(content, option=READABLE))


def summary(storage: JournalStorage, experiment_id: str) -> Experiment | None:
    """Return the archived experiment; None if it is open, or its document is damaged."""
    found = parsed(storage.document(experiment_id, SUMMARY))
    if found is None or found.get("id") != experiment_id:
        return None
    try:
        return Experiment.from_json(found)
    except (TypeError, ValueError):
        return None


def trials(
    storage: JournalStorage, experiment_id: str
) -> Iterator[tuple[Trial, dict[str, list[int]]]]:
    """Yield each archived trial, with the places of its lines by journal. Raises StoreError."""
    lines = (storage.document(experiment_id, TRIALS) or b"").split(b"\n")
    for number, line in enumerate(lines, 1):
        if line:
            try:
                yield _trial(line, experiment_id)
            except (TypeError, ValueError) as error:
                raise StoreError(
                    f"a trial of the experiment {experiment_id} cannot be read: {error}",
                    "dspy-profiles results rebuild writes it again, from the journal",
                    f"{storage.place(experiment_id, TRIALS)}:{number}",
                ) from None


def _trial(line: bytes, experiment_id: str) -> tuple[Trial, dict[str, list[int]]]:
    """Return the trial in a line of its document. Raises TypeError or ValueError."""
    found = parsed_json(line)
    if not isinstance(found, dict) or found.get("experiment_id") != experiment_id:
        raise ValueError("it is not one of this experiment")
    stretches = found.get("lines") or {}
    if not isinstance(stretches, dict) or not all(map(is_journal, stretches)):
        raise ValueError("its lines are not in a journal")
    for stretch in stretches.values():
        if not isinstance(stretch, list) or list(map(type, stretch)) != [int, int]:
            raise ValueError("the places of its lines are not numbers")
        if not 0 <= stretch[0] <= stretch[1] <= LARGEST:
            raise ValueError("the places of its lines are out of range")
    return Trial.from_json(found), stretches


def verify(storage: JournalStorage, experiment_id: str) -> list[Fault]:
    """Return errors: compare everything with its hash, and long texts with their names."""
    content = parsed(storage.document(experiment_id, SUMMARY))
    sealed = seal_of(storage, experiment_id)
    faults = list(_of_documents(storage, experiment_id, content, sealed))
    if content is None and sealed is None:
        return faults + assemble(storage, experiment_id, None).faults
    content = content or {}
    files = content.get("files")
    journals = (sealed or {}).get("journals", {})
    expected = {**(files if isinstance(files, dict) else {}), **journals}
    # The process that closed it has stopped writing, but its children may continue.
    closed_by = f"journal-{_pid(content)}-"
    for name, of in expected.items():
        may_grow = name in journals and not name.startswith(closed_by)
        faults += _compared(storage, experiment_id, name, of, may_grow=may_grow)
    for name in set(storage.names(experiment_id)) - set(expected):
        where = storage.place(experiment_id, name)
        faults.append(Fault("late", "the journal began after the experiment was closed", where))
    faults += _blobs(storage, experiment_id, sealed)
    return faults + assemble(storage, experiment_id, sealed).faults


def _of_documents(
    storage: JournalStorage,
    experiment_id: str,
    content: Mapping[str, Any] | None,
    sealed: Mapping[str, Any] | None,
) -> Iterator[Fault]:
    """Yield the errors of summary and seal. A crash leaves none, or only a seal."""
    whole, document = (
        storage.place(experiment_id, SUMMARY),
        storage.document(experiment_id, SUMMARY),
    )
    is_seal_there = storage.document(experiment_id, SEAL) is not None
    if document is None and not is_seal_there:
        yield Fault("open", "not archived: it is running, or its process died", whole)
        return
    if document is None and sealed is not None:
        yield Fault("open", "closed, but its process died before it wrote the summary", whole)
    elif content is not None and content.get("hash") != _hash(content):
        yield Fault("tampered", "the summary has changed since it was archived", whole)
    elif document is not None and summary(storage, experiment_id) is None:
        yield Fault("tampered", "the summary cannot be read", whole)
    if sealed is None:
        where = storage.place(experiment_id, SEAL)
        yield Fault("tampered", "the seal is missing or cannot be read", where)


def _is_size(of: Any) -> bool:
    """Return whether a value has the size of a file."""
    size = of.get("size") if isinstance(of, dict) else None
    return type(size) is int and 0 <= size <= LARGEST


def _is_time(value: Any) -> bool:
    try:
        return value is None or bool(moment(value))
    except (TypeError, ValueError):
        return False


def _pid(content: Mapping[str, Any]) -> Any:
    details = content.get("details")
    return details.get("pid") if isinstance(details, dict) else None


def adopt(storage: JournalStorage, source: JournalStorage, experiment_id: str) -> None:
    """Copy a closed experiment from another storage: its journals, seal and long texts."""
    with held(source):
        sealed, document = seal_of(source, experiment_id), source.document(experiment_id, SEAL)
        if sealed is None or document is None:
            return
        for name, of in sealed["journals"].items():
            for line in source.lines(experiment_id, name, 0, of["size"]):
                for text in map(source.blob, long_texts_in(line)):
                    if text is not None:
                        storage.keep(text)
            storage.adopt(experiment_id, name, source.lines(experiment_id, name, 0, of["size"]))
        storage.put_first(experiment_id, SEAL, document)


def long_texts_in(line: bytes) -> set[str]:
    """Return the names of the long texts to which a line or record refers."""
    return {found.decode() for found in BLOB.findall(line)}


def _compared(
    storage: JournalStorage, experiment_id: str, name: str, of: Any, *, may_grow: bool
) -> Iterator[Fault]:
    where = storage.place(experiment_id, name)
    if name not in DOCUMENTS and not is_journal(name):
        yield Fault("tampered", "the summary names a file that is not one of a store", where)
        return
    if not _is_size(of):
        yield Fault("tampered", "size and hash are not known", where)
        return
    size, digest = storage.digest(experiment_id, name, of["size"])
    if (size, digest) != (of["size"], of.get("sha256")):
        yield Fault("tampered", "changed after the experiment was closed", where)
    elif storage.digest(experiment_id, name, size + 1)[0] == size:
        return
    elif may_grow:
        yield Fault(
            "late", "has lines from after the experiment was closed; they do not count", where
        )
    else:
        yield Fault("tampered", "data was added after the experiment was closed", where)


def _blobs(
    storage: JournalStorage, experiment_id: str, sealed: Mapping[str, Any] | None
) -> Iterator[Fault]:
    seen: set[str] = set()
    for name, of in (sealed or {}).get("journals", {}).items():
        if name not in storage.names(experiment_id):
            continue
        for number, line in enumerate(storage.lines(experiment_id, name, 0, of["size"]), 1):
            for found in long_texts_in(line) - seen:
                seen.add(found)
                text, where = storage.blob(found), storage.place(experiment_id, name)
                if text is None:
                    message = f"the long text {found} is missing"
                    yield Fault("damaged", message, f"{where}:{number}")
                elif sha256(text).hexdigest() != found:
                    message = f"the long text {found} was changed"
                    yield Fault("tampered", message, f"{where}:{number}")


def _hash(content: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "hash"}
    return sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()


def parsed(data: bytes | None) -> dict[str, Any] | None:
    """Return the JSON table in a document; None if there is none."""
    try:
        found = parsed_json(data or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
