"""Stores of results that somebody else has written: they are read, or refused, and nothing else."""

import json
import os
import shutil
import signal
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy.utils import DummyLM
from typer.testing import CliRunner, Result

from dspy_profiles.cli import app
from dspy_profiles.errors import StoreError
from dspy_profiles.results import Store, open_store, record

PATIENCE = 60  # seconds after which a test that hangs fails
DEEP = b"[" * 900 + b"]" * 900


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Fail a test that hangs."""

    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two experiments."""
    folder = tmp_path_factory.mktemp("seed") / "results"
    store = open_store(f"file:{folder}")
    program = dspy.Predict("question -> answer")
    for name in ("first", "second"):
        with (
            dspy.context(lm=DummyLM([{"answer": "Paris"}] * 4), callbacks=[]),
            record(name, store=store) as exp,
        ):
            program(question="Why?")
            exp.decision(rationale="a long text " * 1000)
    return folder


@pytest.fixture
def root(seed: Path, project: Path) -> Path:
    """A copy of it, in the project."""
    return Path(shutil.copytree(seed, project / ".dspy/results"))


@pytest.fixture
def store(root: Path) -> Store:
    return open_store(f"file:{root}")


@pytest.fixture
def bad(store: Store, root: Path) -> Path:
    """The folder of the experiment that becomes a bad one."""
    (found,) = [each for each in store.query_experiments() if each.name == "first"]
    return root / "experiments" / found.id


@pytest.fixture
def journal(bad: Path) -> Path:
    return next(bad.glob("journal-*"))


@pytest.fixture
def outside(home: Path) -> Path:
    """A file of the user, outside of the project."""
    path = home / "diary.txt"
    path.write_text("dear diary\n")
    return path


def cli(*words: str) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def replaced(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def in_json(path: Path, **changes: Any) -> None:
    """Change keys of a document."""
    replaced(path, json.dumps({**json.loads(path.read_text()), **changes}).encode())


def special(path: Path, kind: str) -> None:
    """Put a thing in the place of a file that nobody can read to its end."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge file":
        with path.open("wb") as file:
            file.truncate(3 * 2**30)


SPECIAL = ("pipe", "link to a device", "folder", "huge file")


class TestOneBadExperiment:
    @pytest.mark.parametrize("kind", SPECIAL)
    @pytest.mark.parametrize("name", ["experiment.json", "seal.json"])
    def test_is_one_line_of_the_list(self, bad: Path, name: str, kind: str) -> None:
        """Before: a pipe made the list hang, a device filled the memory."""
        if name == "seal.json":
            (bad / "experiment.json").unlink()
        special(bad / name, kind)
        done = cli("results", "list")
        assert done.exit_code == 6
        lines = done.stdout.splitlines()
        assert [("second" in line, "unreadable" in line) for line in lines[1:]] == [
            (True, False),
            (False, True),
        ]
        assert bad.name in done.stderr
        assert "hint:" in done.stderr

    def test_is_one_entry_of_the_list_as_json(self, bad: Path) -> None:
        special(bad / "experiment.json", "pipe")
        done = cli("results", "list", "--json")
        assert done.exit_code == 6
        second, first = json.loads(done.stdout)["experiments"]
        assert (second["name"], second["status"]) == ("second", "done")
        assert (first["id"], first["status"]) == (bad.name, "unreadable")
        assert "not a regular file" in first["details"]["error"]

    def test_does_not_hide_the_others_from_a_search(self, bad: Path) -> None:
        special(next(bad.glob("journal-*")), "pipe")
        done = cli("results", "query", "--text", "Paris", "--json")
        assert {e["name"] for e in json.loads(done.stdout)["experiments"]} == {"second", "first"}

    @pytest.mark.parametrize("kind", SPECIAL)
    @pytest.mark.parametrize(
        "words", [("results", "show"), ("trace",), ("results", "show", "--json")]
    )
    def test_is_one_error_when_it_is_shown(
        self, bad: Path, words: tuple[str, ...], kind: str
    ) -> None:
        """Before: a pipe made it hang."""
        special(bad / "experiment.json", kind)
        done = cli(*words, bad.name)
        assert (done.exit_code, done.stdout) == (6, "")
        assert "error: the result store cannot be read" in done.stderr
        assert str(bad.name) in done.stderr

    @pytest.mark.parametrize("kind", SPECIAL)
    def test_is_one_error_of_verify(self, bad: Path, journal: Path, kind: str) -> None:
        special(journal, kind)
        done = cli("results", "verify")
        assert done.exit_code == 1
        assert done.stdout.count("invalid") == 1
        assert done.stdout.count("   ok") == 1
        assert done.stdout.count("damaged: ") + done.stdout.count("tampered: ") == 1


WRONG: dict[str, list[Any]] = {
    "status": [3, None, {}],
    "name": [None, ["a"]],
    "started": ["99999-01-01T00:00:00Z", "9999-12-31T23:00:00-14:00", 3, None],
    "ended": ["0001-01-01T00:00:00+14:00", [], "", 0.5],
    "score": ["0.5", [], {}],
    "trials": ["3", None, 1.5],
    "tokens": [None, 1e30, "1"],
    "cost": ["0", []],
    "details": [None, [], "x"],
    "id": ["../../x", 3, "0" * 26],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_summary_with_a_wrong_type_is_read_from_the_journal(
    bad: Path, store: Store, key: str
) -> None:
    """Before: some of them ended every list with a traceback."""
    for value in WRONG[key]:
        in_json(bad / "experiment.json", **{key: value})
        done = cli("results", "list", "--json")
        assert done.exit_code == 0, done.stderr
        assert [e["name"] for e in json.loads(done.stdout)["experiments"]] == ["second", "first"]
        assert cli("results", "show", bad.name).exit_code == 0
        assert "tampered" in {fault.kind for fault in store.verify(bad.name)}


TRIALS = {
    "not JSON": b"{",
    "a list": b"[]",
    "deep": b'{"a":' + DEEP + b"}",
    "of another experiment": b'{"experiment_id":"x"}',
    "half a character": b'{"name":"\\ud800"}',
    "not UTF-8": b'{"name":"\xff"}',
}


@pytest.mark.parametrize("line", TRIALS.values(), ids=TRIALS)
def test_a_damaged_trial_is_one_error_with_its_line(bad: Path, line: bytes) -> None:
    """Before: it was left out without a word, or was a traceback."""
    replaced(bad / "trials.jsonl", line + b"\n")
    done = cli("results", "show", bad.name)
    assert (done.exit_code, done.stdout) == (6, "")
    assert "trials.jsonl:1" in done.stderr
    assert "results rebuild" in done.stderr
    assert cli("results", "rebuild").exit_code == 0
    assert cli("results", "show", bad.name).exit_code == 0


@pytest.mark.parametrize(
    "lines",
    [
        {"../../../diary.txt": [0, 9]},
        {"journal-1-0.jsonl": [-1, 5]},
        {"journal-1-0.jsonl": ["0", "5"]},
        {"journal-1-0.jsonl": [0, 1e300]},
        {"journal-1-0.jsonl": 3},
    ],
)
def test_places_of_a_trial_are_places_in_its_journals(
    bad: Path, store: Store, lines: dict[str, Any]
) -> None:
    """Before: a trial could name any file, and it was read."""
    (trial, *_) = store.query_trials(bad.name)
    record = json.loads((bad / "trials.jsonl").read_text().splitlines()[0])
    replaced(bad / "trials.jsonl", json.dumps({**record, "lines": lines}).encode() + b"\n")
    with pytest.raises(StoreError, match="a trial of the experiment"):
        store.events(bad.name, trial.id)


NAMES = (
    *("../../../../diary.txt", "/dev/zero", "journal-1.jsonl/../../x", "journal-\0.jsonl"),
    *("", "..", "seal.json", "journal-" + "1" * 5000 + ".jsonl", "journal-1.jsonl\n"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_seal_names_only_journals(bad: Path, store: Store, outside: Path, name: str) -> None:
    """Before: verify read the file, and a device without end."""
    text = outside.read_bytes()
    whole = {"size": len(text), "sha256": sha256(text).hexdigest()}
    in_json(bad / "seal.json", journals={name: whole})
    done = cli("results", "verify", bad.name)
    assert done.exit_code == 1
    assert "tampered: the seal is missing or cannot be read" in done.stdout
    assert cli("results", "list").exit_code == 0


@pytest.mark.parametrize("name", NAMES[:-2])
def test_a_summary_names_only_files_of_its_experiment(bad: Path, name: str) -> None:
    """Before: verify read any file, and a device without end."""
    files = json.loads((bad / "experiment.json").read_text())["files"]
    in_json(bad / "experiment.json", files={**files, name: {"size": 2**40, "sha256": ""}})
    done = cli("results", "verify", bad.name)
    assert done.exit_code == 1
    assert "tampered" in done.stdout


@pytest.mark.parametrize("size", [-1, 2**70, 1e999, "9", None, True, 1.5])
def test_a_seal_has_sizes_that_files_can_have(bad: Path, size: Any) -> None:
    journals = json.loads((bad / "seal.json").read_text())["journals"]
    in_json(bad / "seal.json", journals={n: {**of, "size": size} for n, of in journals.items()})
    for words in (("list",), ("show", bad.name)):
        assert cli("results", *words).exit_code == 0
    assert cli("results", "verify", bad.name).exit_code == 1


LINES = {
    "a huge count": b'{"type":"lost","count":18446744073709551615}',
    "a count below zero": b'{"type":"lost","count":-5}',
    "tokens without end": b'{"type":"end","id":"x","kind":"lm","ended":"2026-01-01T00:00:00Z",'
    b'"attributes":{"usage":{"total_tokens":1e300}}}',
    "a year of five digits": b'{"type":"event","id":"x","started":"99999-01-01T00:00:00Z"}',
    "the last hour of all": b'{"type":"event","id":"x","started":"9999-12-31T23:59:59-14:00"}',
    "a number that is too large": b'{"type":"lost","count":1e999}',
    "deep": b'{"type":"event","id":"x","started":"2026-01-01T00:00:00Z","attributes":{"a":'
    + DEEP
    + b"}}",
    "half a character": b'{"type":"event","id":"\\ud800","started":"2026-01-01T00:00:00Z"}',
    "not UTF-8": b'{"type":"event","id":"\xff","started":"2026-01-01T00:00:00Z"}',
    "a text that is a path": b'{"type":"event","id":"x","started":"2026-01-01T00:00:00Z",'
    b'"attributes":{"$blob":"../../../../../../../etc/passwd","size":1}}',
    "no text where a table is": b'{"type":"event","id":"x","kind":"lm",'
    b'"started":"2026-01-01T00:00:00Z","attributes":{"messages":{"$table":3}}}',
    "a key twice": b'{"type":"lost","count":1,"count":"2"}',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_hostile_line_costs_at_most_itself(journal: Path, bad: Path, line: bytes) -> None:
    """Before: the huge count and the deep one ended with tracebacks."""
    whole = journal.read_bytes()
    for name in ("seal.json", "experiment.json", "trials.jsonl"):
        (bad / name).unlink()
    replaced(journal, whole + (line + b"\n") * 2)
    for words in (("results", "list"), ("results", "show"), ("trace",), ("results", "recover")):
        done = cli(*words, *([bad.name] if words[-1] in ("show", "trace") else []))
        assert done.exit_code == 0, done.stderr
    shown = json.loads(cli("results", "show", bad.name, "--json").stdout)
    assert shown["experiment"]["name"] == "first"


class TestACrash:
    """What a killed process leaves is open; what somebody has changed is tampered with."""

    def kinds(self, name: str) -> set[str]:
        done = json.loads(cli("results", "verify", name, "--json").stdout)
        return {fault["kind"] for fault in done["experiments"][0]["faults"]}

    def status(self, name: str) -> str:
        listed = json.loads(cli("results", "list", "--json").stdout)["experiments"]
        (found,) = [each["status"] for each in listed if each["id"] == name]
        return str(found)

    def test_before_the_seal_is_open(self, bad: Path) -> None:
        for name in ("seal.json", "experiment.json", "trials.jsonl"):
            (bad / name).unlink()
        assert (self.kinds(bad.name), self.status(bad.name)) == ({"open"}, "interrupted")

    def test_within_a_line_is_open(self, bad: Path, journal: Path) -> None:
        for name in ("seal.json", "experiment.json", "trials.jsonl"):
            (bad / name).unlink()
        replaced(journal, journal.read_bytes()[:-40])
        assert (self.kinds(bad.name), self.status(bad.name)) == ({"open"}, "interrupted")

    @pytest.mark.parametrize("names", [("experiment.json",), ("experiment.json", "trials.jsonl")])
    def test_before_the_summary_is_open(self, bad: Path, names: tuple[str, ...]) -> None:
        """Before: verify called it tampered with."""
        for name in names:
            (bad / name).unlink()
        assert (self.kinds(bad.name), self.status(bad.name)) == ({"open"}, "done")
        assert cli("results", "recover").exit_code == 0
        assert self.kinds(bad.name) == set()

    def test_before_the_summary_hides_no_change_of_the_journal(
        self, bad: Path, journal: Path
    ) -> None:
        (bad / "experiment.json").unlink()
        replaced(journal, journal.read_bytes().replace(b"Paris", b"Texas"))
        assert self.kinds(bad.name) == {"open", "tampered"}

    def test_does_not_shorten_a_sealed_journal(self, bad: Path, journal: Path) -> None:
        replaced(journal, journal.read_bytes()[:-40])
        assert self.kinds(bad.name) == {"tampered"}


class TestLinks:
    def test_a_linked_document_is_not_written_through(self, bad: Path, outside: Path) -> None:
        """Before: rebuild replaced the file that the link names."""
        (bad / "experiment.json").unlink()
        (bad / "experiment.json").symlink_to(outside)
        assert cli("results", "rebuild").exit_code == 6
        assert cli("results", "recover").exit_code == 6
        assert outside.read_text() == "dear diary\n"

    def test_a_linked_document_is_not_read(self, bad: Path, outside: Path) -> None:
        (bad / "experiment.json").rename(outside)
        (bad / "experiment.json").symlink_to(outside)
        done = cli("results", "show", bad.name)
        assert done.exit_code == 6
        assert "a symbolic link" in done.stderr
        assert "replace the link" in done.stderr

    @pytest.mark.parametrize("what", ["", "..", "../../blobs"])
    def test_a_linked_folder_is_not_followed(
        self, bad: Path, root: Path, home: Path, what: str
    ) -> None:
        """Before: it was read and written as if it were in the store."""
        folder = Path(os.path.normpath(bad / what))
        elsewhere = home / "elsewhere"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
        before = sorted((path, path.stat().st_mtime_ns) for path in elsewhere.rglob("*"))
        for words in (("show", bad.name), ("verify", bad.name), ("rebuild",), ("recover",)):
            assert cli("results", *words).exit_code in (0, 1, 3, 6)
        assert sorted((path, path.stat().st_mtime_ns) for path in elsewhere.rglob("*")) == before

    def test_the_store_itself_may_be_a_link(self, root: Path, home: Path) -> None:
        root.rename(home / "results")
        root.symlink_to(home / "results")
        assert cli("results", "list").stdout.count("done") == 2

    def test_a_long_text_is_not_written_through_a_link(
        self, store: Store, root: Path, outside: Path
    ) -> None:
        """Before: a link to a file that is missing made it appear outside of the store."""
        text = b"another text"
        name = sha256(text).hexdigest()
        (root / "blobs" / name[:2]).mkdir(exist_ok=True)
        (root / "blobs" / name[:2] / name).symlink_to(outside.with_name("new.txt"))
        store.storage.keep(text)
        assert not outside.with_name("new.txt").exists()


def test_an_endless_line_is_one_error(journal: Path, bad: Path) -> None:
    for name in ("seal.json", "experiment.json", "trials.jsonl"):
        (bad / name).unlink()
    with journal.open("ab") as file:
        file.truncate(3 * 2**30)  # of NUL
    done = cli("results", "list")
    assert (done.exit_code, done.stdout.count("unreadable")) == (6, 1)
    assert "a line is longer than 64 MB" in done.stderr


class TestDatabases:
    """A file of SQLite whose rows somebody has changed."""

    @pytest.fixture
    def database(self, store: Store, bad: Path, project: Path) -> Iterator[sqlite3.Connection]:
        (first,) = [each for each in store.query_experiments() if each.id == bad.name]
        with record("second", store="sqlite:results.db"):
            pass
        with open_store("sqlite:results.db") as other:
            other.archive_experiment(Recorded(first.id, store))
        with closing(sqlite3.connect("results.db")) as database:
            triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (trigger,) in triggers.fetchall():
                database.execute(f"DROP TRIGGER {trigger}")
            yield database

    def change(self, database: sqlite3.Connection, statement: str, *values: object) -> None:
        database.execute(statement, values)
        database.commit()

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"id":3}', DEEP.decode(), b"\xff"])
    def test_a_row_that_cannot_be_read_is_one_line_of_the_list(
        self, database: sqlite3.Connection, bad: Path, text: str | bytes
    ) -> None:
        """Before: every list ended with a traceback."""
        statement = "UPDATE dspy_experiments SET record = ? WHERE id = ?"
        self.change(database, statement, text, bad.name)
        done = cli("results", "list", "--store", "sqlite:results.db", "--json")
        assert done.exit_code == 6
        found = {e["id"]: e["status"] for e in json.loads(done.stdout)["experiments"]}
        assert sorted(found.values()) == ["done", "unreadable"]
        assert found[bad.name] == "unreadable"
        assert cli("results", "show", bad.name, "--store", "sqlite:results.db").exit_code == 6

    def test_a_piece_that_expands_without_end_is_one_error(
        self, database: sqlite3.Connection, bad: Path
    ) -> None:
        """Before: it was expanded, up to the end of the memory."""
        bomb = zlib.compress(bytes(2**27), 9)
        self.change(database, "UPDATE dspy_pieces SET data = ?", bomb)
        done = cli("results", "verify", bad.name, "--store", "sqlite:results.db")
        assert done.exit_code == 1
        assert "larger than 64 MB" in " ".join(done.stdout.split())

    def test_names_that_are_paths_are_no_experiments(
        self, database: sqlite3.Connection, bad: Path
    ) -> None:
        for table, column in (("dspy_experiments", "id"), ("dspy_pieces", "experiment_id")):
            statement = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"
            self.change(database, statement, "../../../x", bad.name)
        done = cli("results", "list", "--store", "sqlite:results.db", "--json")
        # Its journals are next to the database as well.
        assert bad.name in {e["id"] for e in json.loads(done.stdout)["experiments"]}
        assert "../../../x" not in done.stdout


@dataclass(frozen=True)
class Recorded:
    """An experiment and its store, for another one to take over."""

    id: str
    store: Store
