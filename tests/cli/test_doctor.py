"""`doctor`: the command, as it is seen from a shell. What it says of live models is elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "dspy_profiles")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


GOOD = '[good.lm]\nmodel = "openai/x"\napi_key = "${GOOD_KEY}"\n'
EXPORT = "export GONE_KEY, or add it to .env"
GONE = '[gone.lm]\nmodel = "openai/x"\napi_key = "${GONE_KEY}"\n'


def test_a_line_per_profile_and_a_sum(write: Any) -> None:
    write("profiles.toml", GOOD + GONE)
    done = run("doctor", "--all", GOOD_KEY="canary-1")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        f"  gone   file ok · packages ok · GONE_KEY is not set   profiles.toml:6   hint: {EXPORT}",
        "  good   file ok · secrets ok · packages ok · builds",
        "1 of 2 profiles ready",
    ]


def test_all_ready_ends_with_zero(write: Any) -> None:
    write("profiles.toml", GOOD)
    done = run("doctor", GOOD_KEY="canary-1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 profile ready")


def test_an_unknown_name_ends_with_three(write: Any) -> None:
    write("profiles.toml", GOOD)
    done = run("doctor", "god")
    assert (done.returncode, done.stdout) == (3, "")
    assert 'did you mean "good"?' in done.stderr


@pytest.mark.parametrize("words", [(), ("prod",), ("--all",), ("--live",)])
def test_a_broken_file_is_told_and_ends_with_one(write: Any, words: tuple[str, ...]) -> None:
    write("profiles.toml", "[prod\n")
    done = run("doctor", *words)
    assert done.returncode == 1
    assert "profiles.toml:1: error: profiles.toml is not valid TOML" in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_settings_are_told_and_end_with_one(write: Any) -> None:
    write("profiles.toml", GOOD)
    write("pyproject.toml", "[tool.dspy-profiles]\ncolour = 1\n")
    done = run("doctor", "good", GOOD_KEY="canary-1")
    assert done.returncode == 1
    assert "its files are invalid" in done.stdout
    assert 'pyproject.toml:2: error: unknown setting "colour"' in done.stderr


def test_an_env_file_that_cannot_be_read_is_told_and_ends_with_one(write: Any) -> None:
    write("profiles.toml", GOOD)
    write(".env", "x").write_bytes(b"GOOD_KEY=\xff\n")
    for words in ((), ("good",), ("--live", "--json")):
        done = run("doctor", *words, GOOD_KEY="canary-1")
        assert done.returncode == 1
        assert "cannot read .env" in done.stdout + done.stderr


def test_a_hidden_user_file_is_a_warning(write: Any, home: Path) -> None:
    write(home / ".config/dspy/profiles.toml", "[a]\n")
    write(home / ".dspy/profiles.toml", "[b]\n")
    done = run("doctor", XDG_CONFIG_HOME=str(home / ".config"))
    assert done.returncode == 0
    assert "is ignored, because" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell that closes streams")
def test_closed_streams_are_asked_nothing_and_told_nothing(stranger: None, write: Any) -> None:
    write("profiles.toml", GOOD.replace("[good.lm]", '[good.lm]\napi_base = "http://127.0.0.1:9"'))
    done = subprocess.run(
        ["bash", "-c", '"$@" <&- 2>&-', "bash", *COMMAND, "doctor", "good", "--live"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOOD_KEY": "canary-1"},
    )
    assert done.returncode == 1
    assert "not called: profiles.toml:" in done.stdout
    assert "pass --yes to allow it" in done.stdout


def test_what_a_profile_shadows_stands_on_its_line(write: Any, home: Path) -> None:
    write(home / ".dspy/profiles.toml", "[a]\n")
    write("profiles.toml", "[a]\n")
    assert "file ok, shadows ~/.dspy/profiles.toml:1" in run("doctor").stdout


def test_a_base_that_others_extend_is_not_counted(write: Any) -> None:
    write(
        "profiles.toml",
        '[base.lm]\ntemperature = 0\n[a]\nextends = "base"\nlm.model = "openai/x"\n',
    )
    done = run("doctor", "--all")
    assert done.returncode == 0
    assert "no model: extended by a" in done.stdout
    assert "1 of 1 profile ready" in done.stdout


def test_json_has_its_documented_shape(write: Any) -> None:
    path = write("profiles.toml", GONE)
    told = json.loads(run("doctor", "gone", "--json").stdout)
    finding = {
        "severity": "error",
        "profile": "gone",
        "key": "lm.api_key",
        "message": "GONE_KEY is not set",
        "hint": EXPORT,
        "file": str(path),
        "line": 3,
    }
    assert told == {
        "version": 1,
        "ready": 0,
        "of": 1,
        "live": False,
        "findings": [],
        "profiles": [
            {
                "name": "gone",
                "ready": False,
                "extended_by": [],
                "layer": "project",
                "file": str(path),
                "line": 1,
                "shadows": [],
                "checks": [
                    {"name": "file", "status": "ok", "findings": []},
                    {"name": "profile", "status": "ok", "findings": []},
                    {"name": "secrets", "status": "error", "findings": [finding]},
                    {"name": "packages", "status": "ok", "findings": []},
                    {"name": "build", "status": "skipped", "findings": []},
                    {"name": "cache", "status": "ok", "findings": []},
                ],
                "live": None,
            }
        ],
    }


def test_json_of_a_live_answer_has_its_documented_shape(write: Any) -> None:
    write("profiles.toml", '[a.provider]\nclass = "mock"\n')
    told = json.loads(run("doctor", "a", "--live", "--json").stdout)["profiles"][0]["live"]
    assert told.pop("ms") >= 0
    assert told == {
        "result": "answered",
        "host": "offline",
        "set_by": None,
        "message": "model answers",
        "hint": None,
        "status": None,
        "retry_after": None,
        "detail": None,
    }


def test_no_secret_is_shown(write: Any) -> None:
    write(
        "leaking.py",
        "import os\nprint(os.environ)\n"
        "class RM:\n    def __init__(self, token): raise ValueError(f'bad token {token}')\n",
    )
    write(
        "profiles.toml",
        '[a]\nlm.model = "openai/x"\nlm.api_key = "${A_KEY}"\n'
        'rm.class = "leaking.RM"\nrm.token = "${A_KEY}"\n'
        '[b.lm]\nmodel = "openai/x"\napi_key = "canary-in-clear"\n',
    )
    for words in ((), ("--json",), ("--debug",), ("--live", "--yes")):
        done = run("doctor", "--all", *words, A_KEY="canary-0123456789")
        assert done.returncode == 1
        assert "bad token" in done.stdout
        assert "canary" not in done.stdout + done.stderr


def test_a_pipe_and_no_color_get_plain_text(write: Any) -> None:
    write("profiles.toml", GONE)
    for words, more in (((), {}), (("--no-color",), {}), ((), {"NO_COLOR": "1"})):
        done = run("doctor", "--live", *words, **more)
        assert "\x1b" not in done.stdout + done.stderr


def test_time_has_to_be_some(write: Any) -> None:
    assert run("doctor", "--live", "--timeout", "0").returncode == 2
    assert run("doctor", "--live", "--timeout", "soon").returncode == 2
