"""Broken files, closed folders, full disks and held locks: nothing is lost by any command."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WRITERS = {
    "set": ["set", "p", "lm.temperature", "1"],
    "unset": ["unset", "p", "lm.model"],
    "copy": ["copy", "q", "r"],
    "rename": ["rename", "p", "r"],
    "delete": ["delete", "p", "--yes"],
    "init": ["init", "--yes", "--profile", "r"],
    "edit": ["edit"],
    "import": ["import", "x.env", "--profile", "r"],
    "secrets move": ["secrets", "move", "--yes"],
    "schema": ["schema", "--write"],
}
READERS = {
    "list": ["list"],
    "show": ["show", "p"],
    "raw": ["show", "p", "--raw"],
    "get": ["get", "p", "lm"],
    "which": ["which"],
    "diff": ["diff", "p", "q"],
    "use": ["use", "p"],
    "export": ["export", "p"],
    "secrets list": ["secrets", "list"],
    "secrets check": ["secrets", "check"],
}
# Whoever asks for the default looks for a profile of that name, which the file may hold.
FILE = '[p.lm]\nmodel = "a/b"\ntemperature = 0\napi_key = "sk-canary-1"\n\n[q]\n'
EDITOR = """sh -c 'echo "[new]" >> "$1"' sh"""


@pytest.mark.parametrize("command", [*WRITERS, *READERS])
def test_a_broken_file_stays_and_is_named(
    cli: Any, write: Any, project: Path, command: Any
) -> None:
    write("x.env", "DSPY_LM_MODEL=a/b\n")
    path = write("profiles.toml", f"{FILE}[broken\n")
    before = path.read_bytes()
    env = {"EDITOR": EDITOR, "TMPDIR": str(project.parent)}
    done = cli(*(WRITERS | READERS)[command], env=env)
    assert (done.code, done.out) == (4, "")
    assert "is not valid TOML" in done.err.splitlines()[0]
    assert "profiles.toml:7" in done.err
    assert path.read_bytes() == before
    assert sorted(p.name for p in project.iterdir()) == [".git", "profiles.toml", "x.env"]


@pytest.fixture
def bound(bound_by_modes: str) -> Any:
    """The command, bound by file modes even for root."""
    script = f"""{bound_by_modes}
import sys
from dspy_profiles.cli import app
app(sys.argv[1:], prog_name="dspy-profiles")
"""
    return (sys.executable, "-c", script)


@pytest.fixture
def read_only() -> Iterator[Any]:
    """A folder that may be read and not written, not even by its owner."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".git").mkdir()
        (folder / "x.env").write_text("DSPY_LM_MODEL=a/b\n")
        (folder / "profiles.toml").write_text(FILE)
        for path in folder.iterdir():
            path.chmod(0o555 if path.is_dir() else 0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.fixture
def anyones() -> Iterator[Any]:
    """A folder that everybody may write to: `edit` keeps there what it could not write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield name


@pytest.mark.parametrize("command", WRITERS)
def test_a_file_that_may_not_be_written_is_told_with_6(
    cli: Any, bound: Any, read_only: Any, anyones: Any, command: Any
) -> None:
    env = {"EDITOR": EDITOR, "TMPDIR": anyones}
    done = cli(*WRITERS[command], under=bound, cwd=read_only, env=env)
    assert (done.code, done.out) == (6, ""), done.err
    assert re.search(r"cannot write \S+: Permission denied", done.err)
    assert (read_only / "profiles.toml").read_text() == FILE
    assert sorted(p.name for p in read_only.iterdir()) == [".git", "profiles.toml", "x.env"]


def test_an_output_file_that_may_not_be_written_is_told_with_6(
    cli: Any, bound: Any, read_only: Any
) -> None:
    path = read_only / "profiles.toml"
    path.chmod(0o644)
    path.write_text("[p.lm]\nmodel = 'a/b'\n")
    done = cli("export", "p", "--out", "out.toml", under=bound, cwd=read_only)
    assert (done.code, done.out) == (6, ""), done.err
    done = cli("export", "p", "--out", "no/out.toml", under=bound, cwd=read_only)
    assert (done.code, done.out) == (6, "")


@pytest.mark.parametrize(
    "command", ["set", "init", "edit", "import", "secrets move", "schema", "export"]
)
def test_a_full_disk_is_told_with_6_and_loses_nothing(
    cli: Any, tmp_path: Path, anyones: Any, command: Any
) -> None:
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "x", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")
    script = """
import os, subprocess, sys
folder, *words = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
os.chdir(folder)
os.mkdir(".git")
text = sys.stdin.read()
open("profiles.toml", "w").write(text)
open("x.env", "w").write("DSPY_LM_MODEL=a/b\\n")
filler = open("filler", "wb", buffering=0)
try:
    while filler.write(b"x" * 512):
        pass
except OSError:
    pass
before = sorted(os.listdir())
code = subprocess.run([sys.executable, "-m", "dspy_profiles", *words]).returncode
assert open("profiles.toml").read() == text, "lost"
assert sorted(os.listdir()) == before, os.listdir()
sys.exit(code)
"""
    words = {**WRITERS, "export": ["export", "q", "--out", "out.toml"]}[command]
    done = cli(
        *words,
        under=("unshare", "-rm", sys.executable, "-c", script, tmp_path),
        input=FILE,
        env={"EDITOR": EDITOR, "TMPDIR": anyones},
    )
    assert (done.code, done.out) == (6, ""), done.err
    assert "No space left on device" in done.err
    assert "free some disk space" in done.err


IMPATIENT = """
import sys
from dspy_profiles.config import _edit as editing, _lock as locking
from dspy_profiles.cli.profiles import _write as writing, edit
waits = locking.locked
editing.locked = writing.locked = edit.locked = lambda target, *_: waits(target, 0.05)
from dspy_profiles.cli import app
app(sys.argv[1:], prog_name="dspy-profiles")
"""
HOLDER = """
import sys
from pathlib import Path
from dspy_profiles.config import editing
with editing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_somebody_holds_is_told_with_6(cli: Any, write: Any, anyones: Any) -> None:
    write("x.env", "DSPY_LM_MODEL=a/b\n")
    path = write("profiles.toml", FILE)
    command = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for words in WRITERS.values():
            env = {"EDITOR": EDITOR, "TMPDIR": anyones}
            done = cli(*words, under=(sys.executable, "-c", IMPATIENT), env=env)
            assert done.code == 6, (words, done.err)
            assert "is locked by another process" in done.err
        assert path.read_text() == FILE
        holder.stdin.close()
    assert cli(*WRITERS["set"]).code == 0


@pytest.mark.slow
def test_many_at_once_lose_nothing(project: Path, write: Any) -> None:
    path = write("profiles.toml", "[p.lm]\nmodel = 'a/b'\n")
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "dspy_profiles", "set", f"p{n}", "lm.model", "a/b", "--project"],
            stdout=subprocess.DEVNULL,
        )
        for n in range(16)
    ]
    assert [process.wait() for process in begun] == [0] * 16
    assert path.read_text().count("model") == 17
    assert sorted(p.name for p in project.iterdir()) == [".git", "profiles.toml"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("words", "full", "code"),
    [
        (["list", "--json"], 1, 6),
        (["list"], 1, 6),
        (["--help"], 1, 6),
        (["run", "--help"], 1, 6),
        (["show", "nope"], 2, 3),
    ],
)
def test_an_output_that_takes_no_more_is_told_with_6(
    write: Any, words: Any, full: Any, code: Any, unbuffered: Any
) -> None:
    write("profiles.toml", FILE)
    script = f'"$@" {full}>/dev/full'
    done = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "dspy_profiles", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert done.returncode == code
    told = "error: output not written: No space left on device\n  hint: check the disk space"
    assert done.stderr.startswith(told if full == 1 else "")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
