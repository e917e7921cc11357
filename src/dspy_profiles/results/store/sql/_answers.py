"""Answers of queries from the rows of archived experiments."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Text, any_, cast, select
from sqlalchemy.dialects.postgresql import ARRAY

from dspy_profiles.errors import StoreError
from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Event, Experiment, Trial
from dspy_profiles.results.journal._archive import long_texts_in
from dspy_profiles.results.journal._read import complete, parsed_json, whole
from dspy_profiles.results.store._each import unreadable
from dspy_profiles.results.store._filters import ExperimentFilter, TrialFilter
from dspy_profiles.results.store.sql import _search
from dspy_profiles.results.store.sql._sealed import SealedStorage, parts
from dspy_profiles.results.store.sql._tables import EVENTS, EXPERIMENTS, TEXTS, TRIALS

__all__ = ["archived", "events", "experiment", "experiments", "trials"]

AT_ONCE = 5000
PAGE = 1000

T = TypeVar("T")


def archived(connection: Connection, ids: list[str]) -> set[str]:
    """Return the ids that are in the database."""
    archived_ids: set[str] = set()
    for some in parts(ids, AT_ONCE):
        one_of: ColumnElement[bool] = EXPERIMENTS.c.id.in_(some)
        if connection.dialect.name == "postgresql":  # one parameter instead of thousands
            one_of = EXPERIMENTS.c.id == any_(cast(some, ARRAY(Text)))
        archived_ids.update(connection.scalars(select(EXPERIMENTS.c.id).where(one_of)))
    return archived_ids


def experiment(connection: Connection, experiment_id: str) -> Experiment | None:
    wanted = select(EXPERIMENTS.c.record).where(EXPERIMENTS.c.id == experiment_id)
    record = connection.scalar(wanted)
    return None if record is None else _experiment(experiment_id, record)


def experiments(connection: Connection, wanted: ExperimentFilter) -> Iterator[Experiment]:
    """Yield experiments, latest first, a page at a time. Checks here what SQL cannot check."""
    table, holds = EXPERIMENTS.c, wanted.check()
    found = select(table.id, table.record).order_by(table.id.desc())
    for name in ("program", "profile", "status"):
        value = getattr(wanted, name)
        found = found if value is None else found.where(table[name] == value)
    if wanted.min_score is not None:
        found = found.where(table.score >= wanted.min_score)
    if wanted.words:
        having = _search.having(connection, wanted.words)
        found = found.where(table.id.in_(select(TEXTS.c.experiment_id).where(having)))
    page = found.limit(PAGE if wanted.limit is None else min(max(wanted.limit, 1), PAGE))
    while rows := connection.execute(page).all():
        yield from filter(holds, (_listed(*row) for row in rows if is_id(row.id)))
        page = found.where(table.id < rows[-1].id).limit(PAGE)


def trials(
    connection: Connection, storage: SealedStorage, experiment_id: str, wanted: TrialFilter
) -> Iterator[Trial]:
    """Yield matching trials, ignoring the limit."""
    table = TRIALS.c
    found = select(table.record).where(table.experiment_id == experiment_id)
    found = found.order_by(table.position)
    if wanted.words:
        of = TEXTS.c.experiment_id == experiment_id
        having = _search.having(connection, wanted.words)
        found = found.where(table.id.in_(select(TEXTS.c.trial_id).where(of, having)))
    for record in connection.scalars(found):
        each = _read(Trial.from_json, record, f"a trial of the experiment {experiment_id}")
        if wanted.suits(each):
            storage.fetch(_blobs_in(record))
            yield complete(each, storage)


def events(
    connection: Connection, storage: SealedStorage, experiment_id: str, trial_id: str | None
) -> list[Event]:
    table = EVENTS.c
    found = select(EVENTS).where(table.experiment_id == experiment_id)
    if trial_id is not None:
        of = (TRIALS.c.experiment_id == experiment_id) & (TRIALS.c.id == trial_id)
        found = found.where(table.trial_id == trial_id, select(TRIALS.c.id).where(of).exists())
    rows = connection.execute(found.order_by(table.id, table.position)).all()
    storage.fetch(name for row in rows for name in _blobs_in(row.attributes))
    return [_event(row, storage) for row in rows]


def _event(row: Any, storage: SealedStorage) -> Event:
    fields, subject = row._asdict(), f"an event of {row.experiment_id}"
    attributes = _read(dict, row.attributes, subject)
    fields["attributes"] = {key: whole(item, storage) for key, item in attributes.items()}
    return _read(Event.from_json, fields, subject)


def _listed(experiment_id: str, record: str) -> Experiment:
    try:
        return _experiment(experiment_id, record)
    except StoreError as error:
        return unreadable(experiment_id, error)


def _experiment(experiment_id: str, record: str) -> Experiment:
    def made(found: dict[str, Any]) -> Experiment:
        if found.get("id") != experiment_id:
            raise ValueError("it has another id")
        return Experiment.from_json(found)

    return _read(made, record, f"the experiment {experiment_id}")


def _read(made: Callable[[Any], T], record: Any, subject: str) -> T:
    """Return what a row contains. Raises StoreError if it is not what we write."""
    try:
        return made(dict(parsed_json(record) if isinstance(record, str) else record))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"{subject} cannot be read: {error}",
            "dspy-profiles results rebuild writes the tables again, from the archived journals",
        ) from None


def _blobs_in(record: str) -> set[str]:
    return long_texts_in(record.encode()) if "$blob" in record else set()
