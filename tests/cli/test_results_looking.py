"""`results list`, `query`, `show` and `trace`: what was recorded, for people and for programs."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from dspy_profiles.results import Event, Experiment, Trial

FIELDS = {kind: set(kind.__dataclass_fields__) | {"v"} for kind in (Experiment, Trial, Event)}


def names(done: Any) -> Any:
    return [each["name"] for each in done.json["experiments"]]


def test_an_empty_project_has_no_experiments_and_gets_no_folder(quick: Any, project: Any) -> None:
    listed, found = quick("results", "list"), quick("results", "query", "--text", "x")
    assert (listed.code, listed.out) == (found.code, found.out) == (0, "")
    assert "no experiments in file:" in listed.err
    assert "no matches" in found.err
    assert quick("results", "list", "--json", env={}).payload["experiments"] == []
    assert not (project / ".dspy").exists()


def test_the_list_has_the_latest_first(quick: Any, recorded: Any) -> None:
    head, *rows = quick("results", "list").lines[:-1]
    assert head[:3] == ["NAME", "STATUS", "SCORE"]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("short", "done", recorded.short),
        ("base", "done", recorded.base),
    ]


def test_a_list_that_is_cut_says_so(quick: Any, recorded: Any) -> None:
    done = quick("results", "list", "--limit", "1")
    assert "short" in done.out
    assert "base" not in done.out
    assert "--limit N lists more" in done.err


def test_json_has_the_names_of_the_model(quick: Any, recorded: Any) -> None:
    listed = quick("results", "list", "--json").json
    shown = quick("results", "show", "base", "--json").json
    traced = quick("trace", "base", "2", "--json").json
    assert listed["store"] == shown["store"] == f"file:{recorded.folder}"
    assert [set(each) for each in listed["experiments"]] == [FIELDS[Experiment]] * 2
    assert shown["experiment"] == listed["experiments"][1]
    assert [set(each) for each in shown["trials"]] == [FIELDS[Trial]] * 4
    assert traced["trials"] == shown["trials"][1:2]
    assert {each["trial_id"] for each in traced["events"]} == {traced["trials"][0]["id"]}
    assert {"module", "lm", "adapter", "score"} == {each["kind"] for each in traced["events"]}
    assert all(set(each) == FIELDS[Event] for each in traced["events"])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--hypothesis", "SHORTER"], ["short"]),
        (["--program", "Answer"], ["short", "base"]),
        (["--program", "Other"], []),
        (["--profile", "mock", "--status", "done"], ["short", "base"]),
        (["--status", "failed"], []),
        (["--since", "7d", "--until", "0min"], ["short", "base"]),
        (["--since", "2100-01-31"], []),
        (["--until", "2001-01-31T12:00:00Z"], []),
        (["--text", "capital milan"], ["base"]),
        (["--min-score", "0.5"], ["short", "base"]),
        (["--min-score", "0.51"], ["short"]),
        (["-n", "1"], ["short"]),
    ],
)
def test_a_query_narrows(quick: Any, recorded: Any, words: Any, found: Any) -> None:
    done = quick("results", "query", *words, "--json")
    assert names(done) == found if found else done.payload["experiments"] == []


@pytest.mark.parametrize(
    "words",
    [
        ["query", "--since", "yesterday"],
        ["query", "--until", "2026-13-01"],
        ["query", "--min-score", "much"],
        ["query", "--status", "dnoe"],
        ["query", "--limit", "0"],
        ["list", "--limit", "-3"],
        ["diff", "a", "b", "--max-drop", "nan"],
        ["diff", "a", "b", "--max-drop", "-1"],
        ["export", "a"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_a_fault_of_usage(quick: Any, words: Any) -> None:
    done = quick("results", *words)
    assert (done.code, done.out) == (2, "")
    assert "Invalid value" in done.err


def test_show_and_trace_say_how_it_was_run_and_what_came_of_it(quick: Any, recorded: Any) -> None:
    shown = quick("results", "show", "base", env={"COLUMNS": "90"})
    assert shown.err == ""
    for said in ("score 0.5", "trials 4", recorded.base, "example 3", "first  as it is"):
        assert said in shown.out
    assert max(map(len, shown.out.splitlines())) <= 90
    assert quick("trace", "base", env={"COLUMNS": "90"}) == shown
    assert quick("trace", env={"COLUMNS": "90"}).out.startswith("short")


@pytest.mark.parametrize("width", ["80", "120"])
def test_a_trial_is_a_timeline(quick: Any, recorded: Any, width: Any) -> None:
    done = quick("trace", recorded.base[:10], "2", env={"COLUMNS": width})
    assert (done.code, done.err) == (0, "")
    steps = [line.split()[2] for line in done.out.splitlines() if re.match(r" +\S+ m?s  \w", line)]
    assert steps == ["module", "module", "module", "adapter", "lm", "adapter", "score"]
    assert max(map(len, done.out.splitlines())) <= int(width)
    assert "Milan" in quick("trace", "base", "2", "--full").out


def test_a_trial_may_be_named_by_its_id_and_its_name(quick: Any, recorded: Any) -> None:
    by_number = quick("trace", "base", "4", "--json").json
    trial = by_number["trials"][0]["id"]
    assert quick("trace", "base", trial, "--json").json == by_number
    assert quick("trace", "base", "example 3", "--json").json == by_number


def test_an_error_of_a_program_is_shown_and_steers_nothing(quick: Any, recorded: Any) -> None:
    done = quick("trace", "base", "4")
    assert "no <b>such</b> book" in done.out
    assert "${MY_KEY}" in done.out
    assert "\x1b" not in done.out


def test_a_page_is_written_whole_and_over_nothing_without_consent(
    quick: Any, recorded: Any, project: Any
) -> None:
    done = quick("trace", "base", "4", "--html", "a.html")
    assert (done.code, done.out) == (0, "")
    assert "a.html" in done.err
    page = (project / "a.html").read_text()
    assert "such" in page
    assert "<b>such" not in page
    assert "canary" not in page
    again = quick("trace", "base", "--html", "a.html")
    assert (again.code, "--yes" in again.err) == (4, True)
    assert (project / "a.html").read_text() == page
    assert quick("trace", "base", "--html", "a.html", "--yes").code == 0
    assert "example 2" in (project / "a.html").read_text()
    assert quick("trace", "base", "--html", "a.html/b.html").code == 6
    assert sorted(path.name for path in project.glob("*a.html*")) == ["a.html"]


@pytest.mark.parametrize(
    "words",
    [
        ["results", "show", "bsae"],
        ["results", "show", "0" * 26],
        ["results", "diff", "base", "nothing"],
        ["results", "verify", "nothing"],
        ["results", "export", "nothing", "--out", "x.zip"],
        ["results", "examples", "nothing"],
        ["trace", "nothing", "--follow"],
        ["trace", "base", "17"],
        ["trace", "base", "1", "--store", "file:elsewhere"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_ends_with_3_and_leaves_nothing(
    quick: Any, recorded: Any, project: Any, words: Any
) -> None:
    done = quick(*words)
    assert (done.code, done.out) == (3, "")
    assert " not found in " in done.err.partition("\n")[0]
    assert not (project / "x.zip").exists()
    assert not (project / "elsewhere").exists()


def test_a_near_miss_of_a_name_is_told(quick: Any, recorded: Any) -> None:
    assert 'did you mean "base"?' in quick("results", "show", "bsae").err


@pytest.mark.parametrize(
    "url",
    ["nowhere:x", "results", "file:", "sqlite:", "postgresql://me:sk-canary-4f1c9a7e2b@:0/x"],
)
@pytest.mark.parametrize("words", [["results", "list"], ["trace"]], ids=" ".join)
def test_a_store_that_cannot_be_opened_is_one_error(quick: Any, words: Any, url: Any) -> None:
    done = quick(*words, "--store", url, "--json")
    assert (done.code, done.out) == (6, "")
    assert done.err.startswith("error: ")


def test_the_setting_store_counts_and_the_option_over_it(quick: Any, recording: Any) -> None:
    env = {"DSPY_PROFILES_STORE": f"file:{recording.folder}"}
    assert names(quick("results", "list", "--json", env=env)) == ["short", "base"]
    option = ["--store", env["DSPY_PROFILES_STORE"]]
    env["DSPY_PROFILES_STORE"] = "file:elsewhere"
    assert names(quick("results", "list", "--json", *option, env=env)) == ["short", "base"]


@pytest.mark.parametrize("line", ["results list", "trace --json", "trace latest --follow"])
def test_a_reader_that_goes_away_is_no_traceback(recorded: Any, line: Any) -> None:
    script = '"$@" | head -c 1 >/dev/null'
    done = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "dspy_profiles", *line.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_what_is_long_is_paged_on_a_terminal(terminal: Any, recorded: Any) -> None:
    screen = terminal("trace", "base", PAGER="sed s/^/paged:/")
    assert screen.until("paged:").end() == 0


def test_what_is_short_is_not_paged(terminal: Any, recorded: Any) -> None:
    screen = terminal("results", "list", PAGER="sed s/^/paged:/")
    assert screen.end() == 0
    assert "short" in screen.seen
    assert "paged:" not in screen.seen


LOADED = """
import json, sys
from dspy_profiles.cli import app
app(sys.argv[1:], standalone_mode=False)
sys.stderr.write(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    "line",
    [
        "results list",
        "results query --since 1d --json",
        "results diff base short",
        "results verify",
        "trace base 1",
    ],
)
def test_looking_brings_neither_dspy_nor_what_a_page_or_a_database_needs(
    cli: Any, recorded: Any, line: Any
) -> None:
    done = cli(*line.split(), under=[sys.executable, "-c", LOADED])
    loaded = set(json.loads(done.err[done.err.rindex("[") :]))
    assert not loaded & {"dspy", "litellm", "jinja2", "sqlalchemy", "pydantic", "psycopg"}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dspy-profiles results show sh", ["short"]),
        ("dspy-profiles results diff base l", ["latest"]),
        ("dspy-profiles trace b", ["base"]),
        ("dspy-profiles results ex", ["export", "examples"]),
        ("dspy-profiles results query --status d", ["done"]),
    ],
)
def test_the_names_of_experiments_complete(
    cli: Any, recorded: Any, line: Any, offered: Any
) -> None:
    env = {
        "_DSPY_PROFILES_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    assert cli(env=env).out.split() == offered


def test_an_id_completes_too_and_a_broken_store_offers_nothing(cli: Any, recorded: Any) -> None:
    def offered(line: Any, **more: Any) -> Any:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return cli(env={"_DSPY_PROFILES_COMPLETE": "complete_bash", **words, **more})

    line = f"dspy-profiles trace {recorded.base[:11]}"
    assert recorded.base in offered(line).out.split()
    done = offered("dspy-profiles trace ", DSPY_PROFILES_STORE="nowhere:x")
    assert (done.out.split(), done.err) == (["latest"], "")


def test_the_beginning_of_an_id_that_is_too_short_is_told_as_that(
    quick: Any, recorded: Any
) -> None:
    done = quick("results", "show", recorded.base[:3])
    assert (done.code, done.out) == (3, "")
    assert "write 4 characters of an id, or more" in done.err
    assert "begins so" not in quick("results", "show", "zzz").err
