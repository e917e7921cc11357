"""`dspy-profiles trust`, and what is kept."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from tests.trust.conftest import Done, Outside

Write = Callable[[Path | str, str], Path]
USE = "import dspy_profiles\nwith dspy_profiles.profile('x') as p:\n    print(p.name)\n"
COMMAND = str(Path(sys.executable).with_name("dspy-profiles"))


@pytest.fixture(autouse=True)
def profiles(trap: Path, write: Write) -> Path:
    return write("profiles.toml", '[x]\nprovider.class = "trap.Engine"\n')


def test_it_says_what_it_lets_act(write: Write, command: Callable[..., Done]) -> None:
    write(".env", "HTTPS_PROXY=http://localhost:1\nOPENAI_API_KEY=canary-7f3a9c1e\n")
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "sqlite:../results.db"\n')
    done = command("trust")
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines == [
        "trusted: profiles.toml",
        "x.provider.class imports trap.Engine",
        "trusted: pyproject.toml",
        "store uses the address sqlite:../results.db",
        "trusted: .env",
        "HTTPS_PROXY sets http://localhost:1",
    ]
    assert "canary" not in done.stdout


def test_list_remove_and_below(
    home: Path, project: Path, outside: Outside, command: Callable[..., Done]
) -> None:
    assert command("trust", "--list").stdout == "nothing is trusted\n"
    command("trust")
    assert command("trust", "--list").stdout == f"{project / 'profiles.toml'}\n"
    assert outside(USE).stdout == "x\n"
    assert command("trust", "--remove").stdout == "no longer trusted: profiles.toml\n"
    assert "errors.Untrusted" in outside(USE).stderr
    assert command("trust", "--below", str(home)).returncode == 0
    assert outside(USE).stdout == "x\n"
    shown = json.loads(command("trust", "--list", "--json").stdout)
    assert (shown["files"], shown["below"]) == ([], [str(home)])
    assert command("trust", str(home), "--remove").returncode == 0
    assert "errors.Untrusted" in outside(USE).stderr


def test_as_json(project: Path, command: Callable[..., Done]) -> None:
    shown = json.loads(command("trust", "--json").stdout)
    assert shown["files"] == [
        {
            "path": str(project / "profiles.toml"),
            "acts": [{"kind": "import", "key": "x.provider.class", "value": "trap.Engine"}],
        }
    ]
    assert json.loads(command("list", "--json").stdout)["profiles"][0]["trusted"] is True


def test_nothing_to_trust(write: Write, command: Callable[..., Done], home: Path) -> None:
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\n')
    done = command("trust")
    assert (done.returncode, done.stdout) == (0, "")
    assert "needs trust" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [("trust missing", 4), ("trust --list --remove", 2), ("trust --below --list", 2)],
)
def test_bad_words(words: str, code: int, command: Callable[..., Done]) -> None:
    done = command(*words.split())
    assert done.returncode == code
    assert "error" in done.stderr.lower()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "files": [1]}'])
def test_a_damaged_record_trusts_nothing(
    text: str, home: Path, outside: Outside, command: Callable[..., Done]
) -> None:
    command("trust")
    kept = home / ".dspy" / "trusted.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text(text)
    done = outside(USE)
    assert done.returncode == 1
    assert ("errors.Untrusted" if not text else f"{kept}") in done.stderr
    assert "sprung" not in done.stdout


def terminal(*words: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(COMMAND, list(words), encoding="utf-8", timeout=60, dimensions=(40, 200))


def test_doctor_asks_on_a_terminal(mark: Path) -> None:
    child = terminal("doctor", "x")
    child.expect("x.provider.class = trap.Engine")
    child.expect(r"Trust this from now on\? \[y/N\] ")
    assert not mark.exists()
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, mark.exists()) == (7, False)
    child = terminal("doctor", "x")
    child.expect("from now on")
    child.sendline("y")
    child.expect("builds")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, mark.exists()) == (0, True)
    child = terminal("doctor", "x")
    child.expect(pexpect.EOF)
    assert "from now on" not in str(child.before)


def test_run_asks_on_a_terminal(tool: Path, mark: Path) -> None:
    words = (
        "run",
        "--profile",
        "x",
        "--",
        sys.executable,
        str(tool),
        "import dspy\nprint('went on')",
    )
    child = terminal(*words)
    child.expect("from now on")
    child.sendline("")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, mark.exists()) == (7, False)
    child = terminal(*words)
    child.expect("from now on")
    child.sendline("yes")
    child.expect("went on")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, mark.exists()) == (0, True)
