"""Sinks get what the journal gets, and cannot harm the program."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import dspy
import pytest

from dspy_profiles.results import Recording, Store
from dspy_profiles.results.recording import ExperimentWriter, Sink


class Collected:
    """A sink that keeps each line."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.finished = 0
        self._lock = Lock()

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        with self._lock:
            self.lines.append({**json.loads(line), "ends_trial": is_trials_end})

    def finish(self) -> None:
        self.finished += 1


class Broken:
    """A sink that always raises."""

    def write(self, line: bytes, *, is_trials_end: bool = False) -> None:
        raise ConnectionError("the collector is down")

    def finish(self) -> None:
        raise ConnectionError("still down")


Recorded = Callable[..., Any]


@pytest.fixture
def recorded(file_store: Store) -> Recorded:
    """A recording into `file_store` with sinks."""

    @contextmanager
    def recorded(*sinks: Sink) -> Iterator[Recording]:
        recording = Recording(file_store, "a run", "process", sinks)
        recording.begin(None, None)
        try:
            yield recording
        finally:
            recording.end(None)

    return recorded


def lines_in(store: Store, experiment: str) -> list[dict[str, Any]]:
    """The lines of the one journal, after its first one."""
    folder = Path(store.url.removeprefix("file:")) / "experiments" / experiment
    (journal,) = folder.glob("journal-*.jsonl")
    return [json.loads(line) for line in journal.read_bytes().splitlines()][1:]


def test_a_sink_gets_the_lines_of_the_journal(
    recorded: Recorded, file_store: Store, lm: Any, program: Any
) -> None:
    sink = Collected()
    with recorded(sink) as exp:
        program(question="Why?")
        exp.score("accuracy", 1)
    ends = [line.pop("ends_trial") for line in sink.lines]
    assert sink.lines == lines_in(file_store, exp.id)
    assert [line["type"] for line in sink.lines] == [
        *("experiment", "begin", "begin", "event", "begin", "end", "event", "end", "end", "event")
    ]
    assert ends == [False] * 8 + [True, False]
    assert sink.finished == 1


def test_a_sink_gets_all_lines_of_all_threads(
    recorded: Recorded, file_store: Store, lm: Any, program: Any
) -> None:
    sink = Collected()
    with recorded(sink) as exp:
        pairs = [(program, {"question": f"q{n}"}) for n in range(60)]
        dspy.Parallel(num_threads=8, disable_progress_bar=True)(pairs)
    for line in sink.lines:
        del line["ends_trial"]
    journal = lines_in(file_store, exp.id)
    assert sorted(map(json.dumps, sink.lines)) == sorted(map(json.dumps, journal))
    places: dict[tuple[str, str], int] = {
        (line["id"], line["type"]): place for place, line in enumerate(sink.lines)
    }
    begun = [name for name, kind in places if kind == "begin"]
    assert len(begun) == 180
    assert all(places[name, "begin"] < places[name, "end"] for name in begun)


def test_a_broken_sink_harms_neither_the_program_nor_the_journal_nor_other_sinks(
    recorded: Recorded,
    file_store: Store,
    lm: Any,
    program: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = Collected()
    with recorded(Broken(), sink) as exp:
        assert program(question="Why?").answer == "Paris"
    assert len(sink.lines) == len(lines_in(file_store, exp.id)) == 9
    (trial,) = file_store.query_trials(exp.id)
    assert trial.status == "done"
    faults = file_store.get_experiment(exp.id).details["faults"]
    assert faults == {"count": 10, "first": "ConnectionError: the collector is down"}
    assert "the collector is down" in capsys.readouterr().err


def test_an_experiment_that_is_written_without_dspy_has_sinks_too(file_store: Store) -> None:
    sink = Collected()
    writer = ExperimentWriter(file_store, "a run", sinks=[sink])
    writer.title(None)
    trial = writer.lines.trial("test", "test_it", None, None, {})
    writer.lines.trial_end(trial, "done")
    writer.close("done")
    assert [line["type"] for line in sink.lines] == ["experiment", "trial", "trial.end"]
    assert sink.finished == 1
