"""Stores in a database: whole or not at all, for everybody, and as it was archived."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy

from dspy_profiles.errors import StoreError
from dspy_profiles.results import Experiment, Store, open_store, record
from dspy_profiles.results.export import export_bundle
from dspy_profiles.results.journal._folder import FolderStorage
from dspy_profiles.results.store.sql import _answers as answers
from dspy_profiles.results.store.sql import _migration as migration
from dspy_profiles.results.store.sql import _search as search
from dspy_profiles.results.store.sql._database import Database
from dspy_profiles.results.store.sql._store import SqlStore
from dspy_profiles.results.store.sql._tables import EVENTS, METADATA

COLUMNS = ", ".join(column.name for column in EVENTS.columns)
ONE_MORE = (
    f"INSERT INTO dspy_events ({COLUMNS}) SELECT {COLUMNS.replace('position', '99')} "
    "FROM dspy_events WHERE position = 1"
)
LONG = "a very long question " * 1000


@pytest.fixture
def store(sql_url: str) -> Store:
    return open_store(sql_url)


@pytest.fixture
def done(store: Store, lm: Any, program: Any) -> Experiment:
    """An archived experiment of two trials, one with a long text."""
    with record("a run", store=store, hypothesis="it helps") as exp:
        program(question=LONG)
        program(question="Why?")
        exp.score("accuracy", 0.5, trial=store.query_trials(exp.id)[0])
    return store.get_experiment(exp.id)


def everything(store: Store, name: str) -> Any:
    trials = store.query_trials(name)
    each = [store.events(name, trial.id) for trial in trials]
    return store.get_experiment(name), trials, store.events(name), each


def journals(store: Store) -> Path:
    assert isinstance(store.storage, FolderStorage)
    return store.storage.root


def database(store: Store) -> Database:
    assert isinstance(store, SqlStore)
    return store._database


def in_sql(store: Store, *statements: str) -> Any:
    """Do something behind the store's back; what the last statement gives."""
    with database(store)._engine.connect() as connection, connection.begin():
        found = None
        for each in statements:
            found = connection.exec_driver_sql(each)
        return found.fetchall() if found is not None and found.returns_rows else None


def unfixed(store: Store, table: str) -> str:
    of = "" if store.url.startswith("sqlite:") else f" ON {table}"
    return f"DROP TRIGGER {table}_fixed{of}"


def test_the_database_alone_answers_everything(store: Store, done: Experiment) -> None:
    before = everything(store, done.id)
    shutil.rmtree(journals(store))
    other = open_store(store.url)
    assert other.query_experiments() == [done]
    assert other.query_experiments(text="very long question") == [done]
    assert everything(other, done.id) == before
    assert other.verify(done.id) == []
    assert other.recover() == []
    assert other.rebuild() == 1
    assert everything(other, done.id) == before


def test_its_storage_has_what_was_archived_elsewhere(store: Store, done: Experiment) -> None:
    here = store.storage
    names = here.names(done.id)
    before = [(b"".join(here.lines(done.id, n)), here.digest(done.id, n)) for n in names]
    documents = [here.document(done.id, n) for n in ("seal.json", "experiment.json")]
    shutil.rmtree(journals(store))
    there = open_store(store.url).storage
    assert there.ids() == [done.id]
    assert there.names(done.id) == names
    assert [(b"".join(there.lines(done.id, n)), there.digest(done.id, n)) for n in names] == before
    assert [there.document(done.id, n) for n in ("seal.json", "experiment.json")] == documents


def test_another_store_takes_over_what_was_archived_elsewhere(
    store: Store, done: Experiment
) -> None:
    before = everything(store, done.id)
    shutil.rmtree(journals(store))
    files = open_store("file:taken")
    files.archive_experiment(SimpleNamespace(id=done.id, store=open_store(store.url)))
    assert everything(files, done.id) == before
    assert files.verify(done.id) == []


def test_what_was_archived_elsewhere_is_taken_by_one_connection_whatever_its_texts(
    store: Store, lm: Any, program: Any, project: Path
) -> None:
    ids = []
    for texts in (1, 12):
        with record("a run", store=store) as exp:
            for n in range(texts):
                program(question=f"{LONG} {n}")
        ids.append(exp.id)
    shutil.rmtree(journals(store))
    opened: list[object] = []
    sqlalchemy.event.listen(database(store)._engine, "connect", lambda *_: opened.append(_))
    counts = []
    for each in ids:
        opened.clear()
        with (project / f"{each}.zip").open("wb") as file:
            export_bundle(each, store, file)
        exported = len(opened)
        open_store("file:taken").archive_experiment(SimpleNamespace(id=each, store=store))
        counts.append((exported, len(opened) - exported))
    assert counts[0] == counts[1]
    assert sum(counts[1]) < 10


@pytest.mark.parametrize("start", [0, 1, 700, 1500, 2999])
@pytest.mark.parametrize("end", [None, 0, 1, 1024, 1025, 2500, 9999])
def test_a_part_of_a_journal_is_the_same_part(
    store: Store, done: Experiment, monkeypatch: pytest.MonkeyPatch, start: int, end: int | None
) -> None:
    monkeypatch.setattr("dspy_profiles.results.store.sql._sealed.PIECE", 1024)
    store.rebuild()
    storage = store.storage
    (name,) = storage.names(done.id)
    here = b"".join(storage.lines(done.id, name, start, end))
    assert isinstance(store, SqlStore)
    with database(store).reading() as connection:
        assert connection is not None
        sealed = store._sealed(connection)
        assert b"".join(sealed.lines(done.id, name, start, end)) == here
        assert sealed.digest(done.id, name, end) == storage.digest(done.id, name, end)


def test_what_fails_half_way_leaves_nothing_in_the_database(
    store: Store, lm: Any, program: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    def fail(_: object) -> None:
        raise StoreError("the server went away")

    with monkeypatch.context() as patched:
        patched.setattr(search.Index, "write", fail)
        with record("a run", store=store) as exp:
            program(question="Why?")
    assert "recorded but not archived: the server went away" in capfd.readouterr().err
    before = everything(store, exp.id)
    assert before[0].status == "done"
    assert store.query_experiments() == [before[0]]
    assert in_there(store) == set()
    (recovered,) = store.recover()
    assert recovered == before[0]
    assert everything(store, exp.id) == before
    assert in_there(store) == {exp.id}
    assert store.recover() == []


def in_there(store: Store) -> set[str]:
    with database(store).reading() as connection:
        return set() if connection is None else answers.archived(connection, store.storage.ids())


def test_nothing_in_it_can_be_changed(store: Store, done: Experiment) -> None:
    for table, column in (
        ("dspy_experiments", "name"),
        ("dspy_trials", "name"),
        ("dspy_events", "name"),
        ("dspy_pieces", "name"),
        ("dspy_blobs", "name"),
    ):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="archived data does not change"):
            in_sql(store, f"UPDATE {table} SET {column} = 'x'")
    assert store.verify(done.id) == []


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("dspy_experiments", "UPDATE dspy_experiments SET score = 1.0"),
        ("dspy_experiments", "UPDATE dspy_experiments SET record = replace(record, 'run', 'fun')"),
        ("dspy_trials", "UPDATE dspy_trials SET score = 1.0 WHERE position = 1"),
        ("dspy_trials", "DELETE FROM dspy_trials WHERE position = 1"),
        ("dspy_events", "UPDATE dspy_events SET attributes = '{}' WHERE position = 3"),
        ("dspy_events", "UPDATE dspy_events SET trial_id = NULL WHERE position = 3"),
        ("dspy_events", "DELETE FROM dspy_events WHERE position = 10"),
        (
            "dspy_events",
            ONE_MORE,
        ),
    ],
)
def test_rows_that_were_changed_are_found_and_rebuilt(
    store: Store, done: Experiment, table: str, change: str
) -> None:
    before = everything(store, done.id)
    in_sql(store, unfixed(store, table), change)
    (fault,) = store.verify(done.id)
    assert fault.kind == "tampered"
    assert fault.where.endswith(f"#{done.id}/{table}")
    store.rebuild()
    assert store.verify(done.id) == []
    assert everything(store, done.id) == before


def test_sealed_journals_that_were_changed_are_found(store: Store, done: Experiment) -> None:
    (name,) = store.storage.names(done.id)
    in_sql(
        store,
        unfixed(store, "dspy_pieces"),
        "UPDATE dspy_pieces SET data = (SELECT data FROM dspy_pieces WHERE name = 'seal.json') "
        f"WHERE name = '{name}'",
    )
    assert "tampered" in {fault.kind for fault in store.verify(done.id)}


def test_a_long_text_that_was_changed_or_removed_is_found(store: Store, done: Experiment) -> None:
    in_sql(
        store,
        unfixed(store, "dspy_blobs"),
        "UPDATE dspy_blobs SET data = (SELECT data FROM dspy_pieces WHERE name = 'seal.json')",
    )
    assert {fault.kind for fault in store.verify(done.id)} == {"tampered"}
    in_sql(store, "DELETE FROM dspy_blobs")
    assert {fault.kind for fault in store.verify(done.id)} == {"damaged"}
    (question,) = store.query_trials(done.id, limit=1)[0].inputs.values()
    assert list(question) == ["$missing"]


def test_a_lost_database_is_made_again_of_the_journals(store: Store, done: Experiment) -> None:
    before = everything(store, done.id)
    tables = [table.name for table in METADATA.sorted_tables]
    is_sqlite = store.url.startswith("sqlite:")
    drops = [f"DROP TABLE {name}" for name in (*tables, *(["dspy_words"] if is_sqlite else []))]
    in_sql(store, *drops)
    again = open_store(store.url)
    assert again.query_experiments() == [done]
    assert again.rebuild() == 1
    assert in_there(again) == {done.id}
    assert everything(again, done.id) == before
    assert again.verify(done.id) == []


def test_an_experiment_whose_row_is_gone_is_restored(store: Store, done: Experiment) -> None:
    before = everything(store, done.id)
    in_sql(store, "DELETE FROM dspy_experiments")
    assert store.recover() == [done]
    assert everything(store, done.id) == before
    in_sql(store, "DELETE FROM dspy_experiments")
    shutil.rmtree(journals(store))
    assert store.rebuild() == 1
    assert everything(store, done.id) == before
    assert store.verify(done.id) == []


def test_what_is_rebuilt_is_found_once(store: Store, done: Experiment) -> None:
    for _ in range(3):
        assert store.rebuild() == 1
    assert store.query_experiments(text="very long question") == [done]
    assert len(store.query_trials(done.id, text="very long question")) == 1
    texts, events = in_sql(
        store,
        "SELECT (SELECT count(*) FROM dspy_texts), (SELECT count(*) FROM dspy_events)",
    )[0]
    assert texts == events + len(store.query_trials(done.id)) + 1


def test_an_experiment_whose_seal_is_spoilt_is_still_found(store: Store, done: Experiment) -> None:
    in_sql(
        store,
        unfixed(store, "dspy_pieces"),
        "UPDATE dspy_pieces SET data = (SELECT data FROM dspy_blobs LIMIT 1) "
        "WHERE name = 'seal.json'",
    )
    before = everything(store, done.id)
    assert store.rebuild() == 0
    assert everything(store, done.id) == before
    assert store.query_experiments(text="very long question") == [done]


def test_looking_makes_no_file(project: Path) -> None:
    store = open_store("sqlite:results.db")
    assert store.query_experiments() == []
    assert store.recover() == []
    assert store.rebuild() == 0
    assert [path.name for path in project.iterdir()] == [".git"]


def test_looking_makes_no_tables(cluster: Any) -> None:
    store = open_store(cluster.database())
    assert (store.query_experiments(), store.recover(), store.rebuild()) == ([], [], 0)
    assert in_sql(store, "SELECT 1 FROM pg_tables WHERE tablename = 'dspy_schema'") == []


def test_a_database_with_tables_of_others_keeps_them(store: Store, lm: Any, program: Any) -> None:
    Path(str(store.url).partition(":")[2]).parent.mkdir(parents=True, exist_ok=True)
    in_sql(store, "CREATE TABLE experiments (id integer)", "INSERT INTO experiments VALUES (7)")
    assert store.query_experiments() == []
    with record("a run", store=store) as exp:
        program(question="Why?")
    assert in_there(store) == {exp.id}
    assert in_sql(store, "SELECT * FROM experiments") == [(7,)]


def test_more_experiments_than_are_read_at_once_come_in_order(
    store: Store, lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "PAGE", 2)
    monkeypatch.setattr(answers, "AT_ONCE", 2)
    made: list[Experiment] = []
    for number in range(5):
        with record(f"run {number}", store=store, program="AB"[number % 2]) as exp:
            pass
        made.insert(0, store.get_experiment(exp.id))
    assert store.query_experiments() == made
    assert store.query_experiments(program="B") == made[1::2]
    assert store.query_experiments(limit=3) == made[:3]


def test_two_projects_keep_their_open_experiments_apart(cluster: Any, project: Path) -> None:
    one, other = open_store(cluster.database()), open_store(cluster.database())
    assert journals(one) != journals(other)
    assert journals(one).parent == journals(other).parent == project / ".dspy" / "postgresql"


class TestSchemas:
    def step(self, connection: Any) -> None:
        connection.exec_driver_sql("ALTER TABLE dspy_experiments ADD COLUMN team TEXT")

    def broken(self, connection: Any) -> None:
        self.step(connection)
        connection.exec_driver_sql("ALTER TABLE nothing ADD COLUMN team TEXT")

    def columns(self, store: Store) -> list[str]:
        with database(store)._engine.connect() as connection:
            found = sqlalchemy.inspect(connection).get_columns("dspy_experiments")
        return [column["name"] for column in found]

    def test_an_older_one_is_brought_up_to_date(
        self, store: Store, done: Experiment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migration, "VERSION", 3)
        seen: list[int] = []
        steps = {1: self.step, 2: lambda _: seen.append(2)}
        monkeypatch.setattr(migration, "STEPS", steps)
        again = open_store(store.url)
        assert again.query_experiments() == [done]
        assert "team" in self.columns(again)
        assert in_sql(again, "SELECT version FROM dspy_schema") == [(3,)]
        assert open_store(store.url).query_experiments() == [done]
        assert seen == [2]

    def test_where_that_fails_it_stays_as_it_was(
        self, store: Store, done: Experiment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(migration, "VERSION", 2)
            patched.setattr(migration, "STEPS", {1: self.broken})
            with pytest.raises(StoreError, match="nothing"):
                open_store(store.url)
        assert "team" not in self.columns(store)
        assert open_store(store.url).query_experiments() == [done]

    def test_a_later_one_is_refused(self, store: Store, done: Experiment) -> None:
        in_sql(store, "UPDATE dspy_schema SET version = 7")
        with pytest.raises(StoreError, match="tables in the database have version 7") as e:
            open_store(store.url)
        assert e.value.hint == "pip install -U dspy-profiles"
        assert str(e.value.where) in store.url

    def test_one_that_does_not_say_its_version_is_refused(
        self, store: Store, done: Experiment
    ) -> None:
        in_sql(store, "DELETE FROM dspy_schema")
        with pytest.raises(StoreError, match="version of the tables in the database is missing"):
            open_store(store.url)
