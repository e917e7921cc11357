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

from dspy_profiles.results._model import VERSION, Experiment, Fault, Trial, written
from dspy_profiles.results.journal._assemble import assemble
from dspy_profiles.results.journal._base import JournalStorage, held

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
    if found is None or not isinstance(found.get("status"), str):
        return None
    journals = found.get("journals")
    is_sound = isinstance(journals, dict) and all(
        isinstance(of, dict) and isinstance(of.get("size"), int) for of in journals.values()
    )
    return found if is_sound else None


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
    try:
        return None if found is None else Experiment.from_json(found)
    except (TypeError, ValueError):
        return None


def trials(
    storage: JournalStorage, experiment_id: str
) -> Iterator[tuple[Trial, dict[str, list[int]]]]:
    """Yield each archived trial, with the places of its lines by journal."""
    for line in (storage.document(experiment_id, TRIALS) or b"").split(b"\n"):
        found = parsed(line)
        if found is not None:
            yield Trial.from_json(found), found.get("lines") or {}


def verify(storage: JournalStorage, experiment_id: str) -> list[Fault]:
    """Return errors: compare everything with its hash, and long texts with their names."""
    whole = storage.place(experiment_id, SUMMARY)
    content = parsed(storage.document(experiment_id, SUMMARY))
    sealed = seal_of(storage, experiment_id)
    if content is None:
        if sealed is None and storage.document(experiment_id, SEAL) is None:
            return [Fault("open", "not archived: it is running, or its process died", whole)]
        return [Fault("tampered", "the summary is missing or cannot be read", whole)]
    faults = []
    if content.get("hash") != _hash(content):
        faults.append(Fault("tampered", "the summary has changed since it was archived", whole))
    if sealed is None:
        where = storage.place(experiment_id, SEAL)
        faults.append(Fault("tampered", "the seal is missing or cannot be read", where))
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
    if not isinstance(of, dict) or not isinstance(of.get("size"), int):
        yield Fault("tampered", "size and hash are not known", where)
        return
    size, digest = storage.digest(experiment_id, name, of["size"])
    if (size, digest) != (of["size"], of.get("sha256")):
        yield Fault("tampered", "changed after the experiment was closed", where)
    elif storage.digest(experiment_id, name)[0] == size:
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
        found = orjson.loads(data or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
