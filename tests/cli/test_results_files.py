"""`results export`, `import`, `examples`: experiments in files, and what is in the way of that."""

import csv
import json
import os
import zipfile
from typing import Any

import pytest

from dspy_profiles.results import load_examples


@pytest.mark.parametrize("url", ["file:other", "sqlite:other.db"])
def test_a_bundle_carries_an_experiment_to_another_store(
    quick: Any, recorded: Any, project: Any, url: Any
) -> None:
    done = quick("results", "export", "base", "--out", "run.zip")
    assert (done.code, done.out, done.err) == (0, "", "base is written to run.zip\n")
    taken = quick("results", "import", "run.zip", "--store", url)
    assert (taken.code, taken.err) == (0, "")
    assert taken.lines[0] == ["base is imported", recorded.base]
    again = quick("results", "import", "run.zip", "--store", url)
    assert (again.code, again.lines[0][0]) == (0, "base is already in the store")
    here, there = (quick("trace", "base", "--json", *more).json for more in ([], ["--store", url]))
    assert here.pop("store") != there.pop("store")
    assert here == there
    assert quick("results", "verify", "base", "--store", url).code == 0


def test_a_bundle_that_was_changed_is_refused(quick: Any, recorded: Any, project: Any) -> None:
    quick("results", "export", "base", "--out", "run.zip")
    with zipfile.ZipFile("run.zip") as sound, zipfile.ZipFile("bad.zip", "w") as bad:
        for name in sound.namelist():
            bad.writestr(name, sound.read(name).replace(b"Milan", b"Roma!"))
    done = quick("results", "import", "bad.zip", "--store", "file:other")
    assert (done.code, done.out) == (4, "")
    assert "bad.zip" in done.err
    assert quick("results", "list", "--store", "file:other").out == ""


def test_what_is_no_bundle_is_one_error_and_what_is_not_there_another(
    quick: Any, write: Any
) -> None:
    write("profiles.toml", "[p]\n")
    done = quick("results", "import", "profiles.toml")
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("error: not a readable bundle")
    done = quick("results", "import", "absent.zip")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: file not found\n  at absent.zip\n")


def test_the_ending_of_the_file_chooses_csv(quick: Any, recorded: Any, project: Any) -> None:
    assert quick("results", "export", "base", "--out", "run.csv").code == 0
    with (project / "run.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == ["1.0", "0.0", "1.0", "0.0"]
    assert rows[2]["inputs.question"] == "'=2+2"  # which no spreadsheet runs
    printed = quick("results", "export", "base", "--csv")
    assert printed.err == ""
    assert list(csv.DictReader(printed.out.splitlines())) == rows


def test_nothing_is_overwritten_without_consent(quick: Any, recorded: Any, write: Any) -> None:
    for words in (
        ["export", "base", "--out", "a.zip"],
        ["export", "base", "--out", "a.csv"],
        ["examples", "base", "--out", "a.jsonl"],
    ):
        kept = write(words[-1], "mine")
        done = quick("results", *words)
        assert (done.code, kept.read_text()) == (4, "mine")
        assert "--yes" in done.err
        assert quick("results", *words, "--yes").code == 0
        assert kept.read_bytes() != b"mine"
        assert "canary" not in kept.read_bytes().decode("latin-1")


@pytest.mark.skipif(os.name == "nt", reason="modes are not Windows'")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_what_is_no_regular_file_is_not_replaced(quick: Any, recorded: Any, project: Any) -> None:
    os.mkfifo("pipe")
    for words in (["export", "base", "--csv"], ["examples", "base"]):
        done = quick("results", *words, "--out", "pipe", "--yes")
        assert (done.code, done.out) == (4, "")
        assert done.err.startswith("error: not a regular file\n  at pipe\n")
    assert (project / "pipe").is_fifo()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(
    quick: Any, recorded: Any, project: Any
) -> None:
    (project / "file").write_text("")
    (project / "folder").mkdir()
    assert quick("results", "export", "base", "--out", "file/run.zip").code == 6
    assert quick("results", "export", "base", "--out", "folder").code == 4
    assert sorted(path.name for path in project.iterdir()) == [".dspy", ".git", "file", "folder"]
    assert list((project / "folder").iterdir()) == []


def test_good_trials_become_rows_to_learn_from(quick: Any, recorded: Any, project: Any) -> None:
    words = ["results", "examples", "base", "--where", "score>=0.8", "--out", "train.jsonl"]
    done = quick(*words)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("2 examples of base   train.jsonl\n")
    rows = [json.loads(line) for line in (project / "train.jsonl").read_text().splitlines()]
    assert [row["labels"] for row in rows] == [{"answer": "Paris"}, {"answer": "4"}]
    loaded = load_examples("train.jsonl")
    assert [each.inputs().toDict() for each in loaded] == [row["inputs"] for row in rows]
    printed = quick("results", "examples", "base", "--where", "score>=0.8")
    assert printed.out == (project / "train.jsonl").read_text()


def test_fields_are_dropped_and_a_misspelt_one_is_told(quick: Any, recorded: Any) -> None:
    done = quick("results", "examples", "short", "--drop", "reasoning")
    assert "reasoning" not in done.out
    assert done.code == 0
    wrong = quick("results", "examples", "short", "--drop", "reasonning", "--out", "x.jsonl")
    assert (wrong.code, wrong.out) == (4, "")
    assert 'did you mean "reasoning"?' in wrong.err
    assert not os.path.exists("x.jsonl")  # noqa: PTH110


def test_a_condition_that_is_none_is_told_before_anything_is_read(quick: Any) -> None:
    done = quick("results", "examples", "nothing", "--where", "scroe>=0.8")
    assert (done.code, done.out) == (2, "")
    assert 'Invalid value for --where: unknown field "scroe"' in done.err
    assert 'did you mean "score"?' in done.err
    half = quick("results", "examples", "nothing", "--where", "score>=")
    assert half.code == 2
    assert '"score>=" is not a condition; write a condition' in half.err
