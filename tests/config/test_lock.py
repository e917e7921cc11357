"""The lock of a file: those who wait get it in turn, and no killed process blocks another."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import Edit, _lock, change_file, editing, locked, read_toml
from dspy_profiles.errors import InvalidProfile, LockTimeout, WriteFailed

linux = pytest.mark.skipif(sys.platform != "linux", reason="the queue is that of Linux")

HOLDER = """
import sys
from pathlib import Path
from dspy_profiles.config import locked
with locked(Path(sys.argv[1]), 60):
    print("held", flush=True)
    sys.stdin.readline()
"""
WAITER = """
import os, sys
from pathlib import Path
from dspy_profiles.config import _lock, locked
ticket = _lock._ticket
def told(descriptor):
    mine = ticket(descriptor)
    print("waits", flush=True)
    return mine
_lock._ticket = told
_lock.STALLED = 60
with locked(Path(sys.argv[1]), 60):
    with Path(sys.argv[1]).open("a") as file:
        file.write(f"w{sys.argv[2]} = 1\\n")
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "profiles.toml"
    path.parent.mkdir()
    path.write_text("a = 1\n")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def begin() -> Any:
    begun: list[subprocess.Popen[str]] = []

    def start(script: str, *words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", script, *map(str, words)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() in ("held\n", "waits\n")
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@linux
def test_waiters_get_the_lock_in_the_order_they_came(profiles: Path, begin: Any) -> None:
    holder = begin(HOLDER, profiles)
    waiters = [begin(WAITER, profiles, number) for number in range(8)]

    holder.communicate("go\n")
    for waiter in waiters:
        assert waiter.wait(60) == 0

    lines = profiles.read_text().splitlines()
    assert lines == ["a = 1", *(f"w{number} = 1" for number in range(8))]
    assert names(profiles.parent) == ["profiles.toml"]


def test_a_killed_holder_blocks_nobody(profiles: Path, begin: Any) -> None:
    holder = begin(HOLDER, profiles)
    holder.kill()
    holder.wait()
    assert names(profiles.parent) == [".profiles.toml.lock", "profiles.toml"]

    with editing(profiles, timeout=0.5) as edit:
        edit.set(("a",), 2)

    assert names(profiles.parent) == ["profiles.toml"]


@linux
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_waiter_blocks_nobody(profiles: Path, begin: Any, killed: int) -> None:
    holder = begin(HOLDER, profiles)
    waiters = [begin(WAITER, profiles, number) for number in range(3)]

    waiters[killed].kill()
    waiters[killed].wait()
    holder.communicate("go\n")

    lasting = [number for number in range(3) if number != killed]
    assert [waiters[number].wait(60) for number in lasting] == [0, 0]
    assert profiles.read_text().splitlines()[1:] == [f"w{number} = 1" for number in lasting]
    assert names(profiles.parent) == ["profiles.toml"]


@linux
def test_a_stopped_waiter_blocks_nobody_for_long(profiles: Path, begin: Any) -> None:
    holder = begin(HOLDER, profiles)
    waiter = begin(WAITER, profiles, 1)
    os.kill(waiter.pid, signal.SIGSTOP)
    holder.communicate("go\n")

    with editing(profiles, timeout=30) as edit:
        edit.set(("a",), 2)

    os.kill(waiter.pid, signal.SIGCONT)
    assert waiter.wait(60) == 0
    assert profiles.read_text() == "a = 2\nw1 = 1\n"


def test_an_old_lock_file_is_taken_over(profiles: Path) -> None:
    lock = profiles.with_name(".profiles.toml.lock")
    lock.write_text("of a program that is gone\n")

    with editing(profiles, timeout=0.5) as edit:
        edit.set(("a",), 2)

    assert names(profiles.parent) == ["profiles.toml"]


def test_a_folder_in_place_of_the_lock_file_is_an_error(profiles: Path) -> None:
    profiles.with_name(".profiles.toml.lock").mkdir()

    with pytest.raises(WriteFailed, match="cannot write profiles.toml"), locked(profiles, 0.5):
        pytest.fail("the block ran")


def test_a_timeout_leaves_nothing_behind(profiles: Path, begin: Any) -> None:
    holder = begin(HOLDER, profiles)
    with pytest.raises(LockTimeout) as caught, locked(profiles, 0.05):
        pytest.fail("the block ran")
    holder.communicate("go\n")

    assert "end it, then run the command again" in str(caught.value.hint)
    assert str(profiles.with_name(".profiles.toml.lock")) in str(caught.value.hint)
    assert names(profiles.parent) == ["profiles.toml"]


def test_the_time_limit_starts_again_with_each_new_holder(monkeypatch: Any) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    patience = _lock._Patience(10)

    for holder in range(5):
        for _ in range(9):
            patience.wait(stamped(holder), is_next=False)
            now += 1

    now += 1
    with pytest.raises(TimeoutError):
        patience.wait(stamped(4), is_next=False)


def stamped(holder: int) -> os.stat_result:
    status = [0] * 19
    status[1] = holder  # the inode
    return os.stat_result(status)


def test_a_fork_in_the_block_neither_keeps_nor_releases_the_lock(
    profiles: Path, begin: Any
) -> None:
    script = HOLDER.replace(
        'print("held"',
        """import os, time
    child = os.fork()
    if not child:
        os.close(0), os.close(1)
        time.sleep(600)
    Path(sys.argv[1]).with_name("pid").write_text(str(child))
    print("held\"""",
    )
    holder = begin(script, profiles)
    child = int(profiles.with_name("pid").read_text())
    try:
        with pytest.raises(LockTimeout), locked(profiles, 0.05):
            pytest.fail("the block ran")
        holder.kill()
        holder.wait()
        with locked(profiles, 0.5):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_without_flock_the_library_locks(profiles: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(_lock, "fcntl", None)

    with locked(profiles, 0.5), pytest.raises(LockTimeout), locked(profiles, 0.05):
        pytest.fail("the block ran")

    assert names(profiles.parent) == ["profiles.toml"]


def test_a_check_does_not_hold_the_lock(profiles: Path) -> None:
    checks, may_end = threading.Event(), threading.Event()

    def slow(edit: Edit) -> None:
        edit.set(("slow",), 1)
        checks.set()
        assert may_end.wait(60)

    thread = threading.Thread(target=change_file, args=(profiles, slow))
    thread.start()
    assert checks.wait(60)
    change_file(profiles, lambda edit: edit.set(("quick",), 1), timeout=0.5)
    assert read_toml(profiles).data == {"a": 1, "quick": 1}
    may_end.set()
    thread.join()

    assert read_toml(profiles).data == {"a": 1, "quick": 1, "slow": 1}


def test_a_change_runs_again_only_if_the_file_has_changed(profiles: Path) -> None:
    seen: list[dict[str, Any]] = []

    def change(edit: Edit) -> None:
        seen.append(edit.data)
        if len(seen) == 1:
            profiles.write_text("a = 1\nb = 2\n")
        edit.set(("c",), edit.data["a"])

    change_file(profiles, change)
    assert seen == [{"a": 1}, {"a": 1, "b": 2}]
    assert profiles.read_text() == "a = 1\nb = 2\nc = 1\n"

    change_file(profiles, change)
    assert len(seen) == 3


def test_a_change_that_became_wrong_is_not_written(profiles: Path) -> None:
    def change(edit: Edit) -> None:
        if "b" in edit.data:
            raise InvalidProfile("b already exists")
        profiles.write_text("b = 2\n")
        edit.set(("b",), 3)

    with pytest.raises(InvalidProfile, match="already exists"):
        change_file(profiles, change)
    assert profiles.read_text() == "b = 2\n"
    assert names(profiles.parent) == ["profiles.toml"]
