"""Write archived experiments to the database, and derive its rows from their journals."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection, Table, delete, insert, select, text

from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal import _archive
from dspy_profiles.results.journal._assemble import stream
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.store.sql import _search
from dspy_profiles.results.store.sql._sealed import SealedStorage, parts
from dspy_profiles.results.store.sql._tables import (
    EVENTS,
    EXPERIMENTS,
    PIECES,
    TEXTS,
    TRIALS,
    insert_new,
    row_of,
)

__all__ = ["differences", "put", "rebuild"]

BATCH = 1000
MOST = 2**63 - 1
BLOBS_AT_ONCE = 200
Row = dict[str, Any]


def put(connection: Connection, source: JournalStorage, experiment_id: str, place: str) -> bool:
    """Write an experiment, in the caller's transaction. False: another process has written it."""
    seal, done = _archive.seal_of(source, experiment_id), _archive.summary(source, experiment_id)
    if seal is None or done is None or not _claim(connection, done):
        return False
    for table in (TRIALS, EVENTS, TEXTS, PIECES):  # in case rows of it are left
        connection.execute(delete(table).where(table.c.experiment_id == experiment_id))
    sealed = SealedStorage(connection, place)
    _copy(sealed, source, experiment_id, seal)
    _derive(connection, source, done, seal)
    return True


def rebuild(connection: Connection, place: str) -> int:
    """Recreate all rows from the archived journals; return the number of experiments."""
    if connection.dialect.name == "postgresql":  # blocks other writers, not readers
        connection.execute(text("LOCK TABLE dspy_experiments IN SHARE ROW EXCLUSIVE MODE"))
    sealed, count = SealedStorage(connection, place), 0
    _search.forget_all(connection)
    for name in sealed.ids():
        seal = _archive.seal_of(sealed, name)
        if seal is not None:
            _archive.write(sealed, name, seal)
            count += 1
        done = _archive.summary(sealed, name)
        if done is not None:
            for table in (TRIALS, EVENTS):
                connection.execute(delete(table).where(table.c.experiment_id == name))
            connection.execute(delete(EXPERIMENTS).where(EXPERIMENTS.c.id == name))
            _claim(connection, done)
            _derive(connection, SealedStorage(connection, place), done, seal)
    return count


def differences(
    connection: Connection, sealed: JournalStorage, experiment_id: str
) -> Iterator[Fault]:
    """Yield rows that differ from the archived journals."""
    seal, done = _archive.seal_of(sealed, experiment_id), _archive.summary(sealed, experiment_id)
    if seal is None or done is None:
        return  # already reported
    expected: list[tuple[Table, Iterator[Row]]] = [
        (EXPERIMENTS, iter([_experiment(done)])),
        (TRIALS, (row for row, _ in _trials(sealed, experiment_id))),
        (EVENTS, (row for row, _ in _events(sealed, experiment_id, seal))),
    ]
    for table, rows in expected:
        for wanted, found in zip_longest(rows, _rows(connection, table, experiment_id)):
            if wanted != found:
                which = (wanted or found or {}).get("id")
                message = f"the row of {which} in {table.name} has changed since it was archived"
                yield Fault("tampered", message, sealed.place(experiment_id, table.name))
                break


def _claim(connection: Connection, done: Experiment) -> bool:
    """Insert the row of an experiment. False: another process has inserted it.

    Waits for a process that is inserting it. Only the process that inserted it writes other rows.
    """
    statement = insert_new(connection, EXPERIMENTS).values(**_experiment(done))
    mine = statement.returning(EXPERIMENTS.c.id)
    return connection.scalar(mine) is not None


def _copy(
    sealed: SealedStorage, source: JournalStorage, experiment_id: str, seal: Mapping[str, Any]
) -> None:
    names: set[str] = set()

    def noted(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            names.update(_archive.long_texts_in(line))
            yield line

    there = set(source.names(experiment_id))
    for name, of in seal["journals"].items():
        if name in there:
            lines = source.lines(experiment_id, name, 0, of["size"])
            sealed.adopt(experiment_id, name, noted(lines))
    for name in _archive.DOCUMENTS:
        document = source.document(experiment_id, name)
        if document is not None:
            sealed.put_document(experiment_id, name, document)
    for some in parts(sorted(names), BLOBS_AT_ONCE):
        texts = ((name, source.blob(name)) for name in some)
        sealed.keep_all({name: found for name, found in texts if found is not None})


def _derive(
    connection: Connection, source: JournalStorage, done: Experiment, seal: Mapping[str, Any] | None
) -> None:
    """Write the rows of trials and events, and their words."""
    index = _search.Index(connection, done.id, source)
    own = (done.name, done.hypothesis, done.program, done.profile)
    index.add(None, [each for each in own if each])
    for some_trials in parts(_trials(source, done.id), BATCH):
        connection.execute(insert(TRIALS), [row for row, _ in some_trials])
        for _, trial in some_trials:
            index.add(trial.id, trial.name, trial.inputs, trial.outputs, trial.error)
    for some_events in parts(_events(source, done.id, seal), BATCH):
        connection.execute(insert(EVENTS), [row for row, _ in some_events])
        for _, event in some_events:
            index.add(event.trial_id, event.name, event.attributes)
    index.write()


def _experiment(done: Experiment) -> Row:
    whole = done.to_json()
    tokens = min(done.tokens, MOST)  # the complete number is in the record
    return row_of(whole, EXPERIMENTS, record=_json(whole), tokens=tokens)


def _trials(source: JournalStorage, experiment_id: str) -> Iterator[tuple[Row, Trial]]:
    for position, (trial, _) in enumerate(_archive.trials(source, experiment_id)):
        whole = trial.to_json()
        yield row_of(whole, TRIALS, position=position, record=_json(whole)), trial


def _events(
    source: JournalStorage, experiment_id: str, seal: Mapping[str, Any] | None
) -> Iterator[tuple[Row, Event]]:
    for position, event in enumerate(stream(source, experiment_id, seal, "interrupted")):
        record = event.to_json()
        record["attributes"] = _json(record["attributes"])
        yield row_of(record, EVENTS, experiment_id=experiment_id, position=position), event


def _rows(connection: Connection, table: Table, experiment_id: str) -> Iterator[Row]:
    """Yield the rows of a table, some at a time."""
    if table is EXPERIMENTS:
        yield from map(
            dict, connection.execute(select(table).where(table.c.id == experiment_id)).mappings()
        )
        return
    of, last = table.c.experiment_id == experiment_id, -1
    in_order = select(table).where(of).order_by(table.c.position).limit(BATCH)
    while some := connection.execute(in_order.where(table.c.position > last)).mappings().all():
        last = some[-1]["position"]
        yield from map(dict, some)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
