"""What holds for every command: help, codes, --debug, and that no secret gets out."""

import os
import subprocess
import sys
from typing import Any

import pytest

from dspy_profiles.cli._app import COMMANDS

GROUPS = {
    "results": [
        *("list", "show", "query", "diff", "verify", "recover", "rebuild"),
        *("export", "import", "examples"),
    ],
    "cassettes": ["list", "check", "prune"],
    "secrets": ["list", "check", "move"],
    "config": ["list", "get", "set"],
}
ALL = [
    words
    for name in COMMANDS
    for words in ([name, *([inner] if inner else [])] for inner in GROUPS.get(name, [""]))
]
OURS = [words for words in ALL if COMMANDS[words[0]] not in ("demo", "checking", "running")]


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_help_has_an_example(cli: Any, words: Any) -> None:
    done = cli(*words, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Example: " in done.out
    assert f"dspy-profiles {' '.join(words)}" in done.out.rpartition("Example:")[2]


@pytest.mark.parametrize("words", [[], *([name] for name in GROUPS), *ALL], ids=" ".join)
def test_help_fits_80_columns(quick: Any, words: Any) -> None:
    lines = quick(*words, "--help", env={"COLUMNS": "80"}).out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("group", [[], *([name] for name in GROUPS)], ids=" ".join)
def test_help_lists_each_command_in_one_whole_sentence(quick: Any, group: Any) -> None:
    lines = quick(*group, "--help", env={"COLUMNS": "80"}).out.splitlines()
    listed = [line.split(maxsplit=1) for line in lines[lines.index("Commands:") + 1 :] if line]
    inner = [words[len(group)] for words in ALL if words[: len(group)] == group]
    assert [name for name, _ in listed] == list(dict.fromkeys(inner))
    for _, sentence in listed:
        assert sentence.endswith(".")
        assert "..." not in sentence
        assert len(sentence) <= 60


USES = {
    "list": ["list"],
    "list json": ["list", "--json"],
    "show": ["show", "p"],
    "show json": ["show", "p", "--json"],
    "raw": ["show", "leaky", "--raw"],
    "get": ["get", "leaky", "lm"],
    "get json": ["get", "leaky", "lm.api_key", "--json"],
    "which": ["which", "--json"],
    "diff": ["diff", "p", "leaky"],
    "diff json": ["diff", "p", "leaky", "--json"],
    "set": ["set", "p", "lm.temperature", "1"],
    "set wrong": ["set", "leaky", "lm.api_key", "1"],
    "set over": ["set", "leaky", "lm.api_key", "${X}"],
    "unset": ["unset", "leaky", "lm.api_key"],
    "unset missing": ["unset", "leaky", "lm.nothing"],
    "copy": ["copy", "leaky", "r"],
    "rename": ["rename", "leaky", "p"],
    "delete": ["delete", "leaky", "--yes"],
    "use": ["use", "leaky"],
    "init": ["init", "--yes", "--provider", "openai", "--profile", "r"],
    "edit": ["edit"],
    "import": ["import", "x.env", "--profile", "r"],
    "import taken": ["import", "x.env", "--profile", "leaky"],
    "export": ["export", "p", "--format", "python"],
    "export leaky": ["export", "leaky"],
    "secrets list": ["secrets", "list", "--json"],
    "secrets check": ["secrets", "check"],
    "secrets check json": ["secrets", "check", "--json"],
    "secrets move": ["secrets", "move", "--yes"],
    "schema": ["schema", "--write"],
    "config": ["config", "list", "--json"],
}


@pytest.mark.parametrize("use", USES)
def test_no_secret_gets_out_not_even_with_debug(
    cli: Any, write: Any, canary: str, use: Any, tmp_path: Any
) -> None:
    text = f"""
        [p.lm]
        model = "a/b"
        api_key = "${{OPENAI_API_KEY}}"
        token = "${{TOKEN}}"
        password = "file:key.txt"

        [leaky.lm]
        model = "a/b"
        api_key = "{canary}-clear" # and a comment
        """
    write(".env", f"TOKEN={canary}-dotenv\n")
    write("key.txt", f"{canary}-file")
    write("x.env", f"DSPY_LM_MODEL=a/b\nDSPY_LM_API_KEY={canary}-x\n")
    env = {"OPENAI_API_KEY": f"{canary}-environment", "EDITOR": "sh -c 'echo x >> $1' sh"}
    env["TMPDIR"] = str(tmp_path)  # `edit` keeps there what it refuses
    write("profiles.toml", text)
    assert cli(*USES[use], "--debug", env=env).code is not None  # which looks for the canary


def test_a_missing_profile_an_empty_line_and_no_command_at_all(cli: Any) -> None:
    assert cli().code == 2
    assert cli("").code == 2
    assert cli("--version").code == 0
    assert cli("show", "").code == 3


@pytest.mark.parametrize(
    ("words", "closed", "code"),
    [
        (["list"], ">&-", 0),
        (["list", "--json"], ">&-", 0),
        (["get", "p", "lm"], ">&-", 0),
        (["show", "nope"], "2>&-", 3),
        (["delete", "p"], "<&-", 2),
        (["init"], "<&-", 2),
        (["schema"], "| head -c 1", 0),
        (["list"], "| true", 0),
    ],
)
def test_streams_that_are_closed_or_go_away_are_no_traceback(
    write: Any, words: Any, closed: Any, code: Any
) -> None:
    write("profiles.toml", "[p.lm]\nmodel = 'a/b'\n")
    script = f'"$@" {closed}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "dspy_profiles", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert done.returncode == code or "|" in closed


def test_a_folder_that_is_gone_is_told(project: Any) -> None:
    code = "mkdir gone && cd gone && rmdir ../gone && exec $0 -m dspy_profiles list"
    done = subprocess.run(
        ["bash", "-c", code, sys.executable], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: the working directory does not exist")


def test_nothing_of_ours_is_asked_of_a_process_without_a_home(cli: Any, write: Any) -> None:
    write("profiles.toml", "[p]\n")
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    command = [sys.executable, "-m", "dspy_profiles", "list"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
