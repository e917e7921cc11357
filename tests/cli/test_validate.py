"""`validate`: the command, as it is seen from a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run(*words: str, after: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from dspy_profiles.cli._app import app\n{after}\napp()", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


WARNED = '[a.lm]\nmodel = "openai/x"\nsome_new_key = 1\n'
WRONG = '[a.lm]\nmodel = "openai/x"\ntemperature = "hot"\n'


def test_sound_files_are_one_line(write: Any) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n[b]\nextends = "a"\n')
    done = run("validate")
    assert (done.returncode, done.stdout) == (0, "2 profiles in 1 file: no errors\n")
    assert done.stderr == ""


def test_a_fault_is_told_with_its_line_and_what_to_do(write: Any) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\ntemprature = 1\n')
    done = run("validate")
    assert done.returncode == 4
    assert done.stdout == (
        'profiles.toml:3: error: a: lm.temprature: dspy.LM has no parameter "temprature"\n'
        '  hint: did you mean "temperature"?\n'
        "1 error, 0 warnings in 1 profile in 1 file\n"
    )


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (WARNED, (), 0),
        (WARNED, ("--strict",), 4),
        (WRONG, (), 4),
        (WRONG, ("--strict",), 4),
        ("", ("--strict",), 0),
        ("[a\n", (), 4),
        ('[a.lm]\nmodel = "openai/x"\napi_key = "sk-canary-1"\n', (), 4),
    ],
)
def test_the_exit_code_says_how_it_went(
    write: Any, text: str, words: tuple[str, ...], code: int
) -> None:
    write("profiles.toml", text)
    assert run("validate", *words).returncode == code
    done = run("validate", "--json", *words)
    assert (done.returncode, json.loads(done.stdout)["valid"]) == (code, code == 0)


def test_json_has_its_documented_shape(write: Any, project: Path) -> None:
    path = write("profiles.toml", WRONG)
    assert json.loads(run("validate", "--json").stdout) == {
        "version": 1,
        "valid": False,
        "errors": 1,
        "warnings": 0,
        "profiles": 1,
        "files": [{"kind": "project", "path": str(path)}],
        "findings": [
            {
                "severity": "error",
                "profile": "a",
                "key": "lm.temperature",
                "message": 'lm.temperature: expected a number, got the string "hot"',
                "hint": None,
                "file": str(path),
                "line": 3,
            }
        ],
    }


def test_one_file_alone_can_be_looked_at(write: Any) -> None:
    write("profiles.toml", WRONG)
    write("other.toml", WARNED)
    done = run("validate", "--file", "other.toml")
    assert (done.returncode, "some_new_key" in done.stdout) == (0, True)
    assert run("validate", "--file", "gone.toml").returncode == 4


def test_no_secret_is_shown(write: Any) -> None:
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/x"\napi_key = "canary-11111"\ntoken = 3\n'
        'extra_headers = { Authorization = "Bearer canary-22222" }\n'
        '[b]\nlm = "canary"\napi_key = "canary-33333"\n[c.env]\nX_TOKEN = "canary-44444"\n',
    )
    for words in ((), ("--json",), ("--debug",), ("--strict", "--json")):
        done = run("validate", *words)
        assert done.returncode == 4
        assert "canary" not in done.stdout + done.stderr


def test_a_pipe_and_no_color_get_plain_text(write: Any) -> None:
    write("profiles.toml", WRONG)
    for words, more in (((), {}), (("--no-color",), {"FORCE_COLOR": ""}), ((), {"NO_COLOR": "1"})):
        assert "\x1b" not in run("validate", *words, **more).stdout


def test_no_users_code_is_run_nothing_fetched_and_dspy_not_imported(write: Any) -> None:
    write("trap.py", "open('sprung', 'w').close()\nclass RM: ...\n")
    write(
        "profiles.toml",
        '[a]\nlm.model = "openai/x"\nlm.api_key = "file:/nowhere"\nrm.class = "trap.RM"\n',
    )
    seen = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(sorted({'dspy', 'litellm', 'trap', 'keyring', 'dotenv'}"
        " & set(sys.modules))))"
    )
    done = run("validate", after=seen)
    assert done.stdout.splitlines()[-1] == "[]"
    assert not Path("sprung").exists()


def test_reading_leaves_nothing_behind(write: Any, project: Path) -> None:
    write("profiles.toml", WRONG)
    before = sorted(project.rglob("*"))
    run("validate")
    assert sorted(project.rglob("*")) == before
