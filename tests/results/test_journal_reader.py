"""Events are read as they come, each once, while other processes write them."""

import shutil
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import dspy

from dspy_profiles import bind
from dspy_profiles.results import Event, Store, open_store, record
from dspy_profiles.results.journal import JournalReader
from dspy_profiles.results.recording import ExperimentWriter, shared_folder, take_part

# Takes one step for each line that it is sent, and answers when it is taken.
PROGRAM = """
import sys
import dspy
from dspy_profiles.results import open_store, record
from dspy_profiles.results.recording import take_part

class Waits(dspy.Module):
    def forward(self, question):
        step()
        return dspy.Predict("question -> answer")(question=question)

def step():
    print("waits", flush=True)
    sys.stdin.readline()

url, experiment = sys.argv[1:]
dspy.configure(lm=dspy.utils.DummyLM([{"answer": "Paris"}] * 100))
folder = url.removeprefix("file:")
with take_part(folder, experiment) if experiment else record("a run", store=url) as exp:
    if not experiment:
        print(exp.id, flush=True)
    Waits()(question="q" * 5000)
    step()
"""


class Process:
    """A run in another process that waits between its steps."""

    def __init__(self, store: Store, experiment: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, store.url, experiment],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.experiment = experiment or self._line()
        self._waits()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _waits(self) -> None:
        assert self._line() == "waits", self._process.communicate()[1]

    def step(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._waits()

    def end(self) -> None:
        _, error = self._process.communicate("\n", timeout=60)
        assert self._process.returncode == 0, error

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def states(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.name, event.status) for event in events]


def test_events_come_as_they_begin_and_end_until_the_experiment_is_sealed(
    file_store: Store,
) -> None:
    process = Process(file_store)
    reader = JournalReader(file_store, process.experiment)
    (begun,) = reader.read()
    assert (begun.name, begun.status) == ("Waits", "running")
    assert begun.attributes["inputs"] == {"question": "q" * 5000}  # a text that is kept apart
    assert (reader.read(), reader.is_over) == ([], False)
    assert list(reader.trials.values()) == ["Waits"]
    process.step()
    events = reader.read()
    assert {event.status for event in events} == {"done"}
    assert [event.kind for event in events].count("module") == 2
    assert begun.id in {event.id for event in events}
    process.end()
    assert (reader.read(), reader.is_over, reader.is_sealed) == ([], True, True)
    assert reader.faults == []


def test_journals_of_new_processes_are_picked_up(file_store: Store) -> None:
    first = Process(file_store)
    reader = JournalReader(shared_folder(file_store), first.experiment)
    assert states(reader.read()) == [("Waits", "running")]
    second = Process(file_store, first.experiment)
    assert states(reader.read()) == [("Waits", "running")]
    first.step()
    first.end()
    done = reader.read()
    assert (reader.is_sealed, ("Waits", "done") in states(done)) == (True, True)
    second.step()
    second.end()
    assert reader.read() == []  # what comes after the seal does not count


def test_a_killed_process_is_over_and_not_sealed(file_store: Store) -> None:
    process = Process(file_store)
    reader = JournalReader(file_store, process.experiment)
    process.kill()
    assert states(reader.read()) == [("Waits", "running")]
    assert (reader.is_over, reader.is_sealed) == (True, False)
    file_store.recover()
    assert (reader.read(), reader.is_sealed) == ([], True)


def test_half_a_line_is_kept_for_the_next_time(file_store: Store) -> None:
    with record("a run", store=file_store) as exp:
        exp.decision(strategy="first")
        exp.decision(strategy="second")
    original = shared_folder(file_store) / "experiments" / exp.id
    (journal,) = original.glob("journal-*.jsonl")
    data = journal.read_bytes()
    copy = original.parent.parent.parent / "copy"
    path = copy / "experiments" / exp.id / journal.name
    path.parent.mkdir(parents=True)
    reader = JournalReader(copy, exp.id)
    found: list[str] = []
    for end in range(0, len(data) + 1, 7):
        path.write_bytes(data[:end])
        found += [event.name for event in reader.read()]
    path.write_bytes(data)
    found += [event.name for event in reader.read()]
    assert found == ["first", "second"]
    assert reader.faults == []


def test_a_damaged_line_is_reported_once_with_its_place(file_store: Store) -> None:
    writer = ExperimentWriter(file_store, "a run")
    writer.title(None)
    reader = JournalReader(file_store, writer.id)
    writer.journal.write(b"not json\n")
    for strategy in ("first", "second"):
        writer.lines.point("decision", strategy, None, None, {})
        assert [event.name for event in reader.read()] == [strategy]
    (fault,) = reader.faults
    assert fault.where.endswith(".jsonl:3")
    assert fault.message.startswith("not a line of a journal: ")
    assert (reader.read(), reader.is_over) == ([], False)
    writer.close("done")


def test_an_archived_experiment_whose_journals_were_removed_is_read_to_its_end(
    project: Path,
) -> None:
    store = open_store(f"sqlite:{project / 'results.db'}")
    writer = ExperimentWriter(store, "a run")
    writer.title(None)
    reader = JournalReader(store, writer.id)
    writer.lines.point("decision", "first", None, None, {})
    assert [event.name for event in reader.read()] == ["first"]
    writer.lines.point("decision", "second", None, None, {})
    writer.close("done")
    shutil.rmtree(shared_folder(store))
    assert [event.name for event in reader.read()] == ["second"]  # from the database
    assert (reader.read(), reader.is_sealed) == ([], True)


def test_an_experiment_that_was_removed_is_over(file_store: Store) -> None:
    with record("a run", store=file_store) as exp:
        reader = JournalReader(file_store, exp.id)
        exp.decision(strategy="first")
        assert len(reader.read()) == 1
    shutil.rmtree(shared_folder(file_store))
    assert (reader.read(), reader.is_over, reader.is_sealed) == ([], True, False)


def test_an_experiment_that_has_not_begun_is_not_over(file_store: Store) -> None:
    writer = ExperimentWriter(file_store, "a run")
    other = JournalReader(file_store, writer.id[::-1])
    assert (other.read(), other.is_over) == ([], False)
    writer.close("done")


def test_each_event_of_many_threads_comes_once(file_store: Store, lm: Any, program: Any) -> None:
    with record("a run", store=file_store) as exp:
        reader = JournalReader(file_store, exp.id)

        def work() -> None:
            pairs = [(program, {"question": f"q{n}"}) for n in range(100)]
            dspy.Parallel(num_threads=4, disable_progress_bar=True)(pairs)

        thread = Thread(target=bind(work))
        thread.start()
        ended: list[str] = []
        while thread.is_alive() or not ended:
            ended += [event.id for event in reader.read() if event.status == "done"]
        thread.join()
        ended += [event.id for event in reader.read() if event.status == "done"]
    assert len(ended) == 500
    assert set(ended) == {event.id for event in file_store.events(exp.id)}
    assert not reader.is_over


def test_lines_can_be_read_as_they_are(file_store: Store, lm: Any, program: Any) -> None:
    with record("a run", store=file_store) as exp:
        reader = JournalReader(file_store, exp.id)
        assert [line["type"] for line in reader.read_lines()] == ["journal", "experiment"]
        with take_part(shared_folder(file_store), exp.id) as part, part.trial("example", "row 1"):
            pass
        types = [line["type"] for line in reader.read_lines()]
        assert types == ["journal", "trial", "trial.end"]
        assert list(reader.trials.values()) == ["row 1"]
