"""Processes and threads that take part in the experiment of another process."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles.errors import StoreError
from dspy_profiles.results import Store, record
from dspy_profiles.results.recording import shared_folder, take_part

WORKER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import dspy
from dspy_profiles.results.recording import emit_decision, take_part

folder, experiment, parent, rows = sys.argv[1:]
ask = dspy.Predict("question -> answer")
dspy.configure(lm=dspy.utils.DummyLM([{"answer": "Paris"}] * 1000))

def work(row):
    with part.trial("example", f"row {row}", inputs={"row": row}, details={"index": row}) as trial:
        emit_decision(strategy=f"row {row}")
        ask(question=f"first of {row}")
        trial.outputs = ask(question=f"second of {row}")
        trial.score = row / 10
        if row == 3:
            raise ValueError("row 3 is broken")

with take_part(folder, experiment, parent=int(parent)) as part:
    ask(question="alone")
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work, row) for row in json.loads(rows)]:
            future.exception()
    if sys.stdin.read(1):  # the test says when it ends
        ask(question="late")
assert part.faults["count"] == 0
"""


def worker(store: Store, experiment: str, rows: list[int]) -> subprocess.Popen[str]:
    words = [str(shared_folder(store)), experiment, str(4321), json.dumps(rows)]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate("x", timeout=120)
    assert process.returncode == 0, error


def test_processes_with_threads_record_into_one_experiment(file_store: Store) -> None:
    with record("shared", store=file_store) as exp:
        workers = [worker(file_store, exp.id, [0, 1, 2, 3]), worker(file_store, exp.id, [4, 5])]
        for each in workers:
            ended(each)
    trials = {trial.name: trial for trial in file_store.query_trials(exp.id)}
    kinds = Counter(trial.kind for trial in file_store.query_trials(exp.id))
    assert kinds == {"example": 6, "call": 4}
    for row in range(6):
        trial = trials[f"row {row}"]
        assert trial.inputs == {"row": row}
        assert trial.details["index"] == row
        assert trial.score == row / 10
        events = file_store.events(exp.id, trial.id)
        assert Counter(event.kind for event in events)["lm"] == 2
        questions = [e.attributes["inputs"]["question"] for e in events if e.kind == "module"]
        assert questions == [f"first of {row}", f"second of {row}"]
        assert [e.name for e in events if e.kind == "decision"] == [f"row {row}"]
    assert (trials["row 3"].status, trials["row 3"].error) == (
        "failed",
        "ValueError: row 3 is broken",
    )
    assert trials["row 2"].outputs == {"answer": "Paris"}
    assert file_store.get_experiment(exp.id).score == pytest.approx(0.25)
    assert list(file_store.verify(exp.id)) == []


def test_the_journal_names_the_process_that_started_its_process(file_store: Store) -> None:
    with record("shared", store=file_store) as exp:
        ended(worker(file_store, exp.id, []))
    folder = shared_folder(file_store) / "experiments" / exp.id
    first = [
        json.loads(path.read_bytes().splitlines()[0]) for path in folder.glob("journal-*.jsonl")
    ]
    assert sorted(str(line["parent_pid"]) for line in first) == ["4321", "None"]


def test_a_killed_process_leaves_what_it_has_recorded(file_store: Store) -> None:
    with record("shared", store=file_store) as exp:
        process = worker(file_store, exp.id, [0, 1])
        folder = shared_folder(file_store) / "experiments" / exp.id
        while sum(path.read_bytes().count(b"trial.end") for path in folder.glob("j*")) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    trials = [t for t in file_store.query_trials(exp.id) if t.kind == "example"]
    assert sorted(trial.name for trial in trials) == ["row 0", "row 1"]
    assert file_store.get_experiment(exp.id).status == "done"


def test_calls_of_one_thread_can_belong_to_a_trial_that_another_process_opened(
    file_store: Store, lm: Any, program: Any
) -> None:
    with record("shared", store=file_store) as exp:
        pass
    with take_part(shared_folder(file_store), exp.id) as part:
        trial = part.begin_test("a test", {})
        part.go_on_with(None)
        with part.within(trial):
            program(question="inside")
        program(question="outside")
        part.end_test(trial, "done", None, {})
    folder = shared_folder(file_store) / "experiments" / exp.id
    (journal,) = (p for p in folder.glob("j*") if b"a test" in p.read_bytes())
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    owners = [
        line["trial"] == trial
        for line in lines
        if line["type"] == "begin" and line["name"] == "Program"
    ]
    assert owners == [True, False]


def test_nothing_is_recorded_after_the_block(file_store: Store, lm: Any, program: Any) -> None:
    with record("shared", store=file_store) as exp:
        with take_part(shared_folder(file_store), exp.id):
            pass
        before = dspy.settings.callbacks
        program(question="Why?")
    assert len(before) == 1  # the block's own
    assert len(file_store.query_trials(exp.id)) == 1


def test_an_id_that_is_not_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"'\.\./x' is not the id of an experiment"):
        take_part(tmp_path, "../x")
    assert list(tmp_path.iterdir()) == []
