"""Tab in bash, zsh and fish, in a stranger's project whose names are traps for a shell."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.results import open_store, record

if sys.platform == "win32":
    pytest.skip("pexpect needs a pseudo-terminal", allow_module_level=True)
pexpect = pytest.importorskip("pexpect")

BIN = Path(sys.executable).parent
PATIENCE = 120  # seconds: the machine may be busy
SAFE = ["good", "good-2", "a.b/c", "per%cent", "größe"]
# Each springs if a shell evaluates it, or shows PWNED if a terminal gets it.
TRAPS = [
    "$(touch SPRUNG; echo PWNED)",
    "`touch SPRUNG; echo PWNED`",
    "\\$(touch SPRUNG; echo PWNED)",
    "\\`touch SPRUNG; echo PWNED\\`",
    "\\\\$(touch SPRUNG; echo PWNED)",
    "'$(touch SPRUNG; echo PWNED)'",
    "'; touch SPRUNG; echo 'PWNED",
    '"; touch SPRUNG; echo "PWNED',
    "a;touch SPRUNG;PWNED",
    "PWNED with blanks",
    "PWNED\ton a tab",
    "line\nPWNED",
    "--PWNED",
    "~PWNED",
    "~root",
    "=PWNED",
    "%PWNED",
    "@PWNED",
    "PWN*",
    "!!",
    "{PWNED,x}",
    "PWNED|cat",
    "PWNED:x",
    "clip\x1b]52;c;PWNED=\x07",
    "title\x1b]0;PWNED\x07",
    "csi\x9b31mPWNED",
    "bidi\u202ePWNED",
]
# The line that is typed names the trap by its beginning; before, Tab inserted the rest of it.
INSERTED = ["z1$(touch SPRUNG)", "z2`touch SPRUNG`", "z3;touch SPRUNG", "z4&&touch SPRUNG"]
SHELLS = {
    "bash": (
        ["--norc", "--noprofile"],
        "PS1='REA''DY> '",
        "source ~/.bash_completions/dspy-profiles.sh",
    ),
    "zsh": (
        ["-f"],
        "PS1='REA''DY> '",
        # The first Tab only reads Typer's file: it is read here.
        "fpath+=~/.zfunc; autoload -Uz compinit; compinit -u; source ~/.zfunc/_dspy-profiles",
    ),
    "fish": (
        ["--no-config"],
        "function fish_prompt; echo -n 'REA''DY> '; end",
        "source ~/.config/fish/completions/dspy-profiles.fish",
    ),
}


class Shell:
    """A shell in the project, with the completion installed as users install it."""

    def __init__(self, name: str, home: Path, project: Path, command: str) -> None:
        words, prompt, load = SHELLS[name]
        self.name = name
        environ = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local"),
        }
        self.child = pexpect.spawn(
            command,
            words,
            env=environ,
            cwd=str(project),
            timeout=PATIENCE,
            dimensions=(60, 200),
        )
        self.run(prompt)
        self.run("dspy-profiles --install-completion")
        self.run(load)

    def run(self, line: str) -> bytes:
        """Type a line, and return what appears until the shell is ready again."""
        self.child.send(f"{line}\recho do''ne\r")
        self.child.expect(rb"done\r*\n")
        shown = bytes(self.child.before)
        self.child.expect_exact(b"READY> ")
        return shown

    def tab(self, line: str, until: str) -> bytes:
        """Have a line completed, give it up, and return what the terminal has got."""
        self.child.send(line + ("\t\t" if self.name == "bash" else "\t"))
        self.child.expect_exact(until.encode())
        shown = bytes(self.child.before + self.child.after)
        self.child.send("\x15")  # Ctrl-U
        return shown + self.run("")


@pytest.fixture(params=SHELLS)
def shell(
    request: pytest.FixtureRequest, stranger: None, home: Path, project: Path
) -> Iterator[Shell]:
    command = shutil.which(request.param)
    if command is None:
        pytest.skip(f"{request.param} is not installed")
    started = Shell(request.param, home, project, command)
    yield started
    started.child.close(force=True)


@pytest.fixture
def traps(write: Callable[[Path | str, str], Path]) -> None:
    """Profiles, and keys of one of them, some of which are traps."""
    tables = [f'[{json.dumps(name)}]\nlm.model = "openai/x"\n' for name in SAFE + TRAPS + INSERTED]
    keys = [f'{json.dumps(name)} = "x"\n' for name in ["good_key", *TRAPS[:12]]]
    write("profiles.toml", "".join([*tables, '[keys.lm]\nmodel = "openai/keys"\n', *keys]))


def sprung(project: Path) -> list[str]:
    return sorted(path.name for path in project.glob("SPRUNG*"))


def test_profiles(traps: None, shell: Shell, project: Path) -> None:
    """Before: zsh executed a name at Tab; bash passed C1 and bidi characters to the terminal."""
    shown = shell.tab("dspy-profiles show ", "per%cent")
    assert sprung(project) == []
    assert b"PWNED" not in shown
    assert "good-2" in shown.decode()
    assert b"Warning" not in shown
    assert b"profiles.toml" not in shown  # bash expanded the name `*` to the files of the folder


def test_a_safe_name_is_inserted(traps: None, shell: Shell) -> None:
    assert b"openai/keys" in shell.run("dspy-profiles get ke\tlm.model")


def test_a_trap_is_not_inserted(traps: None, shell: Shell, project: Path) -> None:
    """Before: bash inserted it without quotes, and Enter ran it."""
    for trap in INSERTED:
        assert f'profile "{trap[:2]}" not found'.encode() in shell.run(
            f"dspy-profiles show {trap[:2]}\t"
        )
    assert sprung(project) == []


def test_keys(traps: None, shell: Shell, project: Path) -> None:
    """Before: every key was offered."""
    shown = shell.tab("dspy-profiles unset keys lm.", "lm.model")
    assert sprung(project) == []
    assert b"PWNED" not in shown
    assert "lm.good_key" in shown.decode()


def test_experiments(shell: Shell, project: Path) -> None:
    """Before: names were offered, and the tags of rich in one printed a traceback.

    The description of an id holds the name, too, and zsh evaluates it.
    """
    for name in [*TRAPS, "[/markup] 1:2", "long " * 40, "tuned"]:
        with record(name, store=f"file:{project / '.dspy/results'}"):
            pass
    with open_store() as store:
        ids = [each.id for each in store.query_experiments(limit=5)]
    shown = shell.tab("dspy-profiles results show ", "tuned")
    assert sprung(project) == []
    assert "latest" in shown.decode()
    assert ids[0] in shown.decode()
    for raw in (b"]52;", b"]0;PWNED", "\x9b".encode(), "\u202e".encode()):
        assert raw not in shown


def test_a_project_that_is_broken_is_silent(
    shell: Shell, write: Callable[[Path | str, str], Any], project: Path
) -> None:
    """Before: an unknown command printed a traceback into the line."""
    write("profiles.toml", "x = \n")
    write(".env", "not a line\nPYTHONPATH=x\nDSPY_PROFILE=nowhere\n")
    write("pyproject.toml", "[tool.dspy-profiles]\nnonsense = 1\nstore = 'postgresql://h/d'\n")
    for line in ("show ", "results show la", "set ", "nonsense "):
        shell.child.send(f"dspy-profiles {line}\t\x15")
        shown = shell.run("").lower()
        assert not {w for w in (b"error", b"warning", b"traceback", b"invalid") if w in shown}
