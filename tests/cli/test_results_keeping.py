"""`results verify`, `recover`, `rebuild`: a record that was changed, cut short, or lost in part."""

import subprocess
import sys
from typing import Any

import pytest


def test_what_nobody_has_touched_is_sound(quick: Any, recorded: Any) -> None:
    one, all_ = quick("results", "verify", "base"), quick("results", "verify")
    assert (one.code, one.err) == (all_.code, all_.err) == (0, "")
    assert one.lines[:-1] == [[recorded.base, "base", "ok"]]
    assert all_.lines[:-1] == [[recorded.short, "short", "ok"], *one.lines[:-1]]


def test_a_changed_score_is_found(quick: Any, recorded: Any) -> None:
    journal = recorded.journal(recorded.base)
    journal.write_bytes(journal.read_bytes().replace(b"Milan", b"Roma!"))
    done = quick("results", "verify", "base")
    assert done.code == 1
    assert done.lines[0] == [recorded.base, "base", "invalid"]
    assert "tampered" in done.out
    assert str(journal) in done.out
    found = quick("results", "verify", "--json").payload
    assert found["ok"] is False
    assert [(each["name"], each["ok"]) for each in found["experiments"]] == [
        ("short", True),
        ("base", False),
    ]
    assert found["experiments"][1]["faults"][0]["kind"] == "tampered"
    assert quick("results", "export", "base", "--out", "x.zip").code == 6


def test_a_line_that_was_added_is_found(quick: Any, recorded: Any) -> None:
    with recorded.journal(recorded.base).open("ab") as journal:
        journal.write(b'{"type":"lost","count":1}\n')
    done = quick("results", "verify", "base")
    assert done.code == 1
    assert "data was added after the experiment was closed" in done.out


def test_what_a_child_wrote_too_late_does_no_harm(quick: Any, recorded: Any) -> None:
    journal = recorded.journal(recorded.base)
    journal.with_name("journal-99-1.jsonl").write_bytes(journal.read_bytes())
    done = quick("results", "verify", "base")
    assert done.code == 0
    assert "began after the experiment was closed" in done.out


def test_a_torn_off_document_is_made_anew_from_the_journals(quick: Any, recorded: Any) -> None:
    before = quick("results", "show", "base", "--json").json
    summary = recorded.folder / "experiments" / recorded.base / "experiment.json"
    summary.unlink()
    assert quick("results", "verify", "base").code == 1
    done = quick("results", "rebuild")
    assert (done.code, done.out) == (0, "rebuilt 2 experiments\n")
    assert quick("results", "verify", "base").code == 0
    assert quick("results", "show", "base", "--json").json == before


KILLED = """
import os, signal
from dspy_profiles.results.recording import ExperimentWriter as Book
from dspy_profiles.results import open_store

book = Book(open_store(), "killed")
book.title(None)
said = {"action": "go on", "rationale": "sk-RAT1ONALe2345xyz9"}
book.lines.point("decision", "go on", None, None, said)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(project: Any) -> None:
    """What a process has left behind that was killed."""
    subprocess.run([sys.executable, "-c", KILLED], check=False)


def test_what_a_killed_process_left_open_is_closed(quick: Any, killed: Any) -> None:
    assert "interrupted" in quick("results", "list").out
    left = quick("results", "verify", "killed")
    assert (left.code, left.lines[0][1:]) == (1, ["killed", "invalid"])
    assert "open: not archived" in left.out
    assert "results recover" in left.err
    done = quick("results", "recover")
    assert (done.code, done.lines[0][1:3]) == (0, ["killed", "interrupted"])
    again = quick("results", "recover")
    assert (again.code, again.out) == (0, "")
    assert "nothing to recover" in again.err
    assert quick("results", "verify", "killed").code == 0


def test_what_looks_like_a_key_is_told_and_not_shown(quick: Any, killed: Any) -> None:
    quick("results", "recover")
    done = quick("results", "verify", "killed")
    assert (done.code, done.lines[0][2]) == (0, "ok")
    assert "sk-R… (20 characters) looks like an API key" in done.err
    finding = quick("results", "verify", "killed", "--json").payload["experiments"][0]["findings"]
    assert {each["what"] for each in finding} == {"an API key"}
    assert "RAT1" not in str(finding) + done.err
    ends = [f", in {each['where']}" for each in finding]
    assert all(map(str.endswith, done.err.splitlines(), ends))
    assert len(done.err.splitlines()) == len(ends)


def test_what_cannot_be_closed_keeps_no_other_from_it(
    quick: Any, killed: Any, project: Any
) -> None:
    experiments = project / ".dspy" / "results" / "experiments"
    (bad,) = experiments.iterdir()
    (bad / "trials.jsonl" / "taken").mkdir(parents=True)
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    done = quick("results", "recover")
    assert (done.code, done.out) == (6, "")
    assert f"error: the experiment {bad.name} could not be closed, 1 other was: " in done.err
    other, _ = quick("results", "list", "--json").payload["experiments"]
    assert quick("results", "verify", other["id"]).code == 0


def test_an_empty_store_is_sound_and_has_nothing_to_mend(quick: Any, project: Any) -> None:
    assert (quick("results", "verify").code, quick("results", "recover").code) == (0, 0)
    assert quick("results", "rebuild").out == "rebuilt 0 experiments\n"
    assert not (project / ".dspy").exists()
