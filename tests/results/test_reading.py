"""Journals are read back whatever stands in them: what is damaged is told, the rest counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.errors import StoreError
from dspy_profiles.results import ExperimentNotFound, Store, open_store, record
from dspy_profiles.results._ids import is_id
from dspy_profiles.results.journal._assemble import assemble, stream
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.recording import new_id


@pytest.fixture
def journal(file_store: Store, lm: Any, program: Any) -> Path:
    """Of an experiment with two calls, which is still open: its process is taken for dead."""
    with record("a run", store=file_store) as exp:
        program(question="Why?")
        program(question="Why not?")
    folder = Path(file_store.url[5:]) / "experiments" / exp.id
    for name in ("seal.json", "experiment.json", "trials.jsonl"):
        (folder / name).unlink()
    return next(folder.glob("journal-*.jsonl"))


def test_a_torn_last_line_is_no_fault(file_store: Store, journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    (found,) = file_store.recover()
    assert found.status == "interrupted"
    assert file_store.verify(found.id) == []
    first, second = file_store.query_trials(found.id)
    assert (first.status, second.status) == ("done", "interrupted")


def test_what_was_under_way_is_interrupted(file_store: Store, journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    is_call = next(n for n, line in enumerate(lines) if b'"kind":"lm"' in line)
    journal.write_bytes(b"".join(lines[: is_call + 1]))
    (found,) = file_store.recover()
    (trial,) = file_store.query_trials(found.id)
    assert trial.status == "interrupted"
    statuses = {e.name: e.status for e in file_store.events(found.id, trial.id)}
    assert statuses["own/model"] == statuses["Program"] == "interrupted"
    assert found.ended == max(e.started for e in file_store.events(found.id))


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00" * 40,
        b"{}",
        b"[1]",
        b"null",
        b'{"type":"begin"}',
        b'{"type":"begin","id":1,"started":"2026-01-01T00:00:00Z"}',
        b'{"type":"end","id":"a","ended":"yesterday"}',
        b'{"type":"event","id":"a","started":"0001-01-01T00:00:00+14:00"}',
        b'{"type":"event","id":"a","kind":"score","started":"2026-01-01","attributes":{"value":""}}',
        b'{"type":"lost","count":"many"}',
        b'{"type":"experiment","name":5}',
        b'{"type":"nothing"}',
        b'{"type":["begin"]}',
        b'{"type":"begin","id":"torn',
    ],
)
def test_damage_is_told_with_file_and_line_and_the_rest_counts(
    file_store: Store, journal: Path, damage: bytes
) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], damage + b"\n", *lines[3:]]))
    (found,) = file_store.recover()
    assert found.trials == 2
    assert [t.status for t in file_store.query_trials(found.id)] == ["done", "done"]
    assert len(file_store.events(found.id)) >= 10
    (fault,) = file_store.verify(found.id)
    assert (fault.kind, fault.where) == ("damaged", f"{journal}:4")


def test_a_line_without_an_end_in_the_middle_is_told(file_store: Store, journal: Path) -> None:
    other = journal.with_name("journal-1-0.jsonl")
    other.write_bytes(b'{"type":"begin","id"')
    (found,) = file_store.recover()
    assert found.trials == 2
    assert file_store.verify(found.id) == []  # torn off at the end of its own journal


def storage_with(text: bytes) -> tuple[MemoryStorage, str]:
    storage, name = MemoryStorage(), new_id()
    storage.adopt(name, "journal-0.jsonl", iter([text]))
    return storage, name


LINES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["journal", "experiment", "trial", "trial.end", "begin", "end", "event", "lost", "x"]
        ),
        **{
            key: st.none()
            | st.sampled_from(["a", "b", "lm", "score", "module", "2026-01-01T00:00:00Z", "é"])
            | st.integers(-(2**63), 2**64 - 1)
            | st.dictionaries(
                st.sampled_from(
                    ["value", "inputs", "usage", "cost", "cached", "error", "kind", "by"]
                ),
                st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.lists(st.none()),
            )
            for key in (
                *("id", "trial", "parent", "kind", "name", "started", "ended", "status", "opens"),
                *("attributes", "inputs", "outputs", "details", "count", "score", "error"),
                *("hypothesis", "program", "profile"),
            )
        },
    },
)


def read_all(storage: MemoryStorage, name: str) -> None:
    made = assemble(storage, name, None)
    orjson.dumps(made.experiment.to_json())
    for trial in made.trials:
        orjson.dumps(trial.to_json())
    for event in stream(storage, name, None, "interrupted"):
        orjson.dumps(event.to_json())


@given(st.binary())
def test_arbitrary_bytes_are_read(text: bytes) -> None:
    read_all(*storage_with(text))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES), st.integers(0, 40))
def test_arbitrary_lines_are_read(lines: list[dict[str, Any]], cut: int) -> None:
    text = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    read_all(*storage_with(text[: len(text) - cut]))


def test_candidates_have_no_part_in_the_score_of_the_experiment() -> None:
    when = "2026-01-01T00:00:00Z"
    lines = [
        {"type": "trial", "id": "a", "kind": "candidate", "started": when},
        {"type": "trial.end", "id": "a", "ended": when, "score": 1.0},
        {"type": "trial", "id": "b", "kind": "example", "started": when},
        {"type": "trial.end", "id": "b", "ended": when, "score": 0.5},
    ]
    storage, name = storage_with(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    made = assemble(storage, name, None)
    assert (made.experiment.score, made.experiment.trials) == (0.5, 2)


class TestTampering:
    @pytest.fixture
    def folder(self, file_store: Store, lm: Any, program: Any) -> Path:
        with record("a run", store=file_store) as exp:
            program(question="a long question " * 1000)
        return Path(file_store.url[5:]) / "experiments" / exp.id

    @pytest.fixture
    def verify(self, file_store: Store, folder: Path) -> Callable[[], set[str]]:
        return lambda: {fault.kind for fault in file_store.verify(folder.name)}

    @pytest.mark.parametrize("name", ["trials.jsonl", "seal.json", "journal-*"])
    def test_a_changed_byte_is_found(
        self, folder: Path, verify: Callable[[], set[str]], name: str
    ) -> None:
        assert verify() == set()
        path = next(folder.glob(name))
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b"done", b"dead", 1))
        assert verify() == {"tampered"}

    @pytest.mark.parametrize("name", ["trials.jsonl", "seal.json", "journal-*"])
    def test_a_file_that_is_gone_is_found(
        self, folder: Path, verify: Callable[[], set[str]], name: str
    ) -> None:
        next(folder.glob(name)).unlink()
        assert verify() & {"tampered"}

    def test_a_changed_long_text_is_found(
        self, folder: Path, verify: Callable[[], set[str]]
    ) -> None:
        blob = next(each for each in folder.parent.parent.glob("blobs/*/*"))
        blob.write_bytes(b"other")
        assert verify() == {"tampered"}
        blob.unlink()
        assert verify() == {"damaged"}

    @pytest.mark.parametrize("name", ["trials.jsonl", "seal.json", "journal-*"])
    def test_a_line_that_was_added_is_found(
        self, folder: Path, verify: Callable[[], set[str]], name: str
    ) -> None:
        path = next(folder.glob(name))
        path.chmod(0o644)
        with path.open("ab") as file:
            file.write(path.read_bytes().splitlines(keepends=True)[-1])
        assert "tampered" in verify()

    def test_rebuilding_does_not_hide_it(
        self, file_store: Store, folder: Path, verify: Callable[[], set[str]]
    ) -> None:
        journal = next(folder.glob("journal-*"))
        journal.write_bytes(journal.read_bytes().replace(b"Paris", b"Milan"))
        file_store.rebuild()
        assert verify() == {"tampered"}

    def test_a_summary_that_cannot_be_read_is_made_up_for(
        self, file_store: Store, folder: Path
    ) -> None:
        before = file_store.query_experiments()
        (folder / "experiment.json").chmod(0o644)
        (folder / "experiment.json").write_bytes(b"\xff")
        assert file_store.query_experiments() == before

    def test_archived_documents_are_not_for_writing(self, folder: Path) -> None:
        for name in ("experiment.json", "trials.jsonl", "seal.json"):
            assert (folder / name).stat().st_mode & 0o222 == 0

    def test_a_long_text_is_there_once(
        self, file_store: Store, folder: Path, lm: Any, program: Any
    ) -> None:
        count = len(list(folder.parent.parent.glob("blobs/*/*")))
        with record("again", store=file_store):
            program(question="a long question " * 1000)
        assert len(list(folder.parent.parent.glob("blobs/*/*"))) == count
        assert not list(folder.parent.parent.glob("blobs/*/.*")), "a draft was left behind"


def test_names_sort_by_time_and_never_come_twice() -> None:
    names = [new_id() for _ in range(100_000)]
    assert names == sorted(set(names))
    assert all(map(is_id, names[:100]))


def test_a_store_is_kept_out_of_git(file_store: Store, lm: Any) -> None:
    with record("a run", store=file_store):
        pass
    assert (Path(file_store.url[5:]) / ".gitignore").read_text() == "*\n"


def test_reading_makes_nothing(project: Path) -> None:
    assert open_store().query_experiments() == []
    assert not (project / ".dspy").exists()


def test_an_experiment_whose_process_was_killed_while_it_began_hides_no_other(
    file_store: Store, journal: Path
) -> None:
    folder = journal.parent.parent
    empty, before_its_first_line = new_id(), new_id()
    (folder / empty).mkdir()
    (folder / before_its_first_line).mkdir()
    (folder / before_its_first_line / "journal-1-0.jsonl").touch()
    begun, whole = file_store.query_experiments()
    assert (begun.id, begun.status, begun.trials) == (before_its_first_line, "interrupted", 0)
    assert whole.started <= begun.started == begun.ended
    assert whole.id == journal.parent.name
    assert [each.id for each in file_store.recover()] == [begun.id, whole.id]
    with pytest.raises(ExperimentNotFound):
        file_store.get_experiment(empty)


def test_what_cannot_be_read_is_told(file_store: Store, journal: Path) -> None:
    journal.unlink()
    journal.mkdir()  # which root cannot read either
    (listed,) = file_store.query_experiments()
    assert (listed.id, listed.status) == (journal.parent.name, "unreadable")
    for ask in (file_store.recover, lambda: file_store.get_experiment(listed.id)):
        with pytest.raises(StoreError, match="cannot be read: Is a directory") as error:
            ask()
        assert str(error.value.where) == str(journal)
