"""The file on the disk: replaced whole or not at all, under a lock, with its mode and its links."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import tomli
from filelock import FileLock

from dspy_profiles.config import Edit, editing, read_toml
from dspy_profiles.config._edit import TomlValue
from dspy_profiles.errors import InvalidFile, InvalidProfile, LockTimeout, Place, WriteFailed

EDIT = """
import sys
from pathlib import Path
from dspy_profiles.config import editing
from dspy_profiles.errors import ProfileError
path = Path(sys.argv[1])
try:
    with editing(path) as edit:
        edit.set(("a",), 2)
except ProfileError as error:
    print(type(error).__name__, error)
"""
# Another user may not be able to import: a first edit, elsewhere, imports all that a second needs.
AS_ANOTHER_USER = """
import os, tempfile
from pathlib import Path
from dspy_profiles.config import editing
with tempfile.TemporaryDirectory() as folder, editing(Path(folder, "profiles.toml")) as edit:
    edit.set(("a",), 2)
if not os.geteuid():
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Any:
    path = tmp_path / "profiles.toml"
    path.write_text("a = 1\n")
    return path


@pytest.fixture
def public_folder() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "in" / "profiles.toml").write_text("a = 1\n")
        folder.chmod(0o755)
        (folder / "in").chmod(0o777)
        yield folder / "in"
        (folder / "in").chmod(0o755)


def python(script: Any, *arguments: Any, under: Any = ()) -> Any:
    command = [*under, sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def names(folder: Any) -> Any:
    return sorted(path.name for path in folder.iterdir())


def edit_during(path: Any, something: Any) -> None:
    with editing(path) as edit:
        edit.set(("a",), 2)
        something()


def test_a_changed_file_is_replaced_and_nothing_stays_beside_it(profiles: Any) -> None:
    inode = profiles.stat().st_ino

    with editing(profiles) as edit:
        edit.set(("a",), 2)
        assert edit.data == {"a": 2}
        assert profiles.read_text() == "a = 1\n"

    assert profiles.read_text() == "a = 2\n"
    assert profiles.stat().st_ino != inode
    assert names(profiles.parent) == ["profiles.toml"]


@pytest.mark.parametrize("values", [[], [1], [2, 1]])
def test_a_file_that_ends_as_it_was_is_not_written(profiles: Any, values: Any) -> None:
    before = profiles.stat()

    with editing(profiles) as edit:
        for value in values:
            edit.set(("a",), value)

    after = profiles.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert names(profiles.parent) == ["profiles.toml"]


def test_an_error_in_the_block_leaves_the_file_as_it_was(profiles: Any) -> None:
    def set_and_fail(edit: Edit) -> None:
        edit.set(("a",), 2)
        edit.set(("a",), 1 / 0)

    with pytest.raises(ZeroDivisionError), editing(profiles) as edit:
        set_and_fail(edit)

    assert profiles.read_text() == "a = 1\n"
    assert names(profiles.parent) == ["profiles.toml"]


def test_the_mode_stays_and_a_new_file_is_for_its_owner_alone(profiles: Any) -> None:
    profiles.chmod(0o664)
    new = profiles.with_name("new.toml")

    for path in (profiles, new):
        with editing(path) as edit:
            edit.set(("a",), 2)

    assert stat.S_IMODE(profiles.stat().st_mode) == 0o664
    assert stat.S_IMODE(new.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_root_leaves_a_file_to_its_owner(profiles: Any) -> None:
    os.chown(profiles, 1234, 4321)

    with editing(profiles) as edit:
        edit.set(("a",), 2)

    assert (profiles.stat().st_uid, profiles.stat().st_gid) == (1234, 4321)


def test_missing_folders_are_made_for_their_owner_alone_when_there_is_something_to_write(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x" / "y" / "profiles.toml"

    with editing(path) as edit:
        assert edit.data == {}
        edit.set(("a", "b"), 2)

    assert path.read_text() == "[a]\nb = 2\n"
    assert [stat.S_IMODE(each.stat().st_mode) for each in list(path.parents)[:2]] == [0o700] * 2


def test_missing_folders_stay_missing_when_nothing_is_written(tmp_path: Path) -> None:
    with editing(tmp_path / "x" / "y" / "profiles.toml"):
        pass

    assert names(tmp_path) == []


def test_a_link_stays_a_link_and_its_target_is_changed(profiles: Any, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    link = tmp_path / "else" / "link.toml"
    link.symlink_to(profiles)
    nowhere = tmp_path / "else" / "nowhere.toml"
    nowhere.symlink_to("made.toml")

    for path in (link, nowhere):
        with editing(path) as edit:
            edit.set(("a",), 2)

    assert link.is_symlink()
    assert nowhere.is_symlink()
    assert profiles.read_text() == (tmp_path / "else" / "made.toml").read_text() == "a = 2\n"
    assert names(tmp_path / "else") == ["link.toml", "made.toml", "nowhere.toml"]


@pytest.mark.parametrize("content", ["a = \n", "\0", b"\xff"])
def test_a_file_that_does_not_parse_is_never_written_to(profiles: Any, content: Any) -> None:
    profiles.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = profiles.read_bytes()

    with pytest.raises(InvalidFile), editing(profiles) as edit:
        edit.set(("a",), 2)

    assert profiles.read_bytes() == before
    assert names(profiles.parent) == ["profiles.toml"]


def test_a_folder_a_loop_and_a_device_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    for path in (tmp_path, tmp_path / "loop"):
        with pytest.raises(InvalidFile), editing(path):
            pytest.fail("the block ran")
    device = Path(os.devnull)
    may_lock = os.access(device.parent, os.W_OK)  # the lock comes first, beside the device
    told = "not a regular file" if may_lock else "Permission denied"
    with pytest.raises(WriteFailed, match=told), editing(device) as edit:
        edit.set(("a",), 2)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_somebody_elses_change_during_the_edit_is_not_overwritten(profiles: Any) -> None:
    def overwrite() -> None:
        times = (profiles.stat().st_atime_ns, profiles.stat().st_mtime_ns)
        profiles.write_text("a = 9\n")
        os.utime(profiles, ns=times)  # as if both were written within one tick of the clock

    with pytest.raises(WriteFailed, match="changed by another program") as caught:
        edit_during(profiles, overwrite)

    assert caught.value.hint is not None
    assert "run the command again" in caught.value.hint
    assert profiles.read_text() == "a = 9\n"
    assert names(profiles.parent) == ["profiles.toml"]


def test_a_file_that_somebody_else_made_or_removed_is_not_overwritten(profiles: Any) -> None:
    other = profiles.with_name("other.toml")

    with pytest.raises(WriteFailed):
        edit_during(other, lambda: other.write_text("b = 1\n"))
    with pytest.raises(WriteFailed):
        edit_during(profiles, profiles.unlink)

    assert other.read_text() == "b = 1\n"
    assert names(profiles.parent) == ["other.toml"]


def test_a_stale_draft_and_a_stale_lock_are_in_nobodys_way(profiles: Any) -> None:
    profiles.with_name(".profiles.toml.tmp").write_text("half a fi")
    profiles.with_name(".profiles.toml.lock").write_text("")

    with editing(profiles) as edit:
        edit.set(("a",), 2)

    assert profiles.read_text() == "a = 2\n"
    assert names(profiles.parent) == ["profiles.toml"]


def test_a_draft_that_is_a_link_is_not_followed(profiles: Any) -> None:
    victim = profiles.with_name("victim")
    victim.write_text("mine")
    profiles.with_name(".profiles.toml.tmp").symlink_to(victim)

    with editing(profiles) as edit:
        edit.set(("a",), 2)

    assert victim.read_text() == "mine"
    assert not profiles.is_symlink()


def test_something_that_stands_where_the_draft_should_is_an_error_not_a_loss(profiles: Any) -> None:
    profiles.with_name(".profiles.toml.tmp").mkdir()

    with pytest.raises(WriteFailed) as caught, editing(profiles) as edit:
        edit.set(("a",), 2)

    assert ".profiles.toml.tmp" in str(caught.value)
    assert profiles.read_text() == "a = 1\n"


def test_a_lock_that_another_process_holds_is_waited_for_and_then_named(profiles: Any) -> None:
    script = """
import sys
from pathlib import Path
from dspy_profiles.config import editing
with editing(Path(sys.argv[1])) as edit:
    print("held", flush=True)
    sys.stdin.read()
    edit.set(("a",), 5)
"""
    command = [sys.executable, "-c", script, profiles]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockTimeout) as caught, editing(profiles, timeout=0.05):
            pytest.fail("the block ran")
        holder.stdin.close()
        with editing(profiles) as edit:
            assert edit.data == {"a": 5}

    assert str(profiles) in str(caught.value)
    assert caught.value.hint is not None
    assert "run the command again" in caught.value.hint
    assert names(profiles.parent) == ["profiles.toml"]


def test_an_edit_within_an_edit_of_the_same_file_ends_with_an_error(profiles: Any) -> None:
    with editing(profiles), pytest.raises(LockTimeout), editing(profiles, timeout=0.05):
        pytest.fail("the block ran")


def test_the_lock_library_lets_no_one_hold_a_lock_that_was_removed_and_removes_none(
    tmp_path: Path,
) -> None:
    # The two things that make it safe to remove the lock file while it is held.
    lock = FileLock(tmp_path / "lock")
    with lock:
        pass
    assert names(tmp_path) == ["lock"]
    with lock:
        (tmp_path / "lock").unlink()
        with FileLock(tmp_path / "lock", timeout=0):
            pass
    assert names(tmp_path) == ["lock"]


def test_threads_that_edit_one_file_lose_nothing(profiles: Any) -> None:
    start = threading.Barrier(8)

    def work(number: Any) -> None:
        start.wait()
        for step in range(5):
            with editing(profiles, timeout=60) as edit:
                edit.set((f"t{number}", f"k{step}"), step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert read_toml(profiles).data == {
        "a": 1,
        **{f"t{n}": {f"k{step}": step for step in range(5)} for n in range(8)},
    }


def test_a_folder_that_may_not_be_written_is_an_error_that_says_so(
    public_folder: Any, bound_by_modes: str
) -> None:
    public_folder.chmod(0o555)

    said = python(bound_by_modes + EDIT, public_folder / "profiles.toml")

    assert said.startswith("WriteFailed cannot write profiles.toml: Permission denied")
    assert "permissions" in said
    assert names(public_folder) == ["profiles.toml"]


def test_a_file_that_may_not_be_written_is_not_replaced(
    public_folder: Any, bound_by_modes: str
) -> None:
    path = public_folder / "profiles.toml"
    path.chmod(0o444)

    said = python(bound_by_modes + EDIT, path)

    assert said.startswith("WriteFailed cannot write profiles.toml: the file is read-only")
    assert path.read_text() == "a = 1\n"
    assert names(public_folder) == ["profiles.toml"]


def test_a_lock_that_another_users_killed_process_left_does_not_stand_in_the_way(
    public_folder: Any,
) -> None:
    script = """
import os, sys
from pathlib import Path
from dspy_profiles.config import editing
manager = editing(Path(sys.argv[1]))
manager.__enter__()
os._exit(0)
"""
    path = public_folder / "profiles.toml"
    path.chmod(0o666)
    python(script, path)
    assert names(public_folder) == [".profiles.toml.lock", "profiles.toml"]

    assert python(AS_ANOTHER_USER + EDIT, path) == ""
    assert path.read_text() == "a = 2\n"
    assert names(public_folder) == ["profiles.toml"]


def test_a_full_disk_is_an_error_and_the_old_text_stays(tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
from pathlib import Path
from dspy_profiles.config import editing
from dspy_profiles.errors import WriteFailed
folder = Path(sys.argv[1])
mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
if subprocess.run(mount, capture_output=True).returncode:
    sys.exit("no mount")
path = folder / "profiles.toml"
path.write_text("a = 1\\n")
try:
    with editing(path) as edit:
        edit.set(("a",), "x" * 100_000)
except WriteFailed as error:
    print(error)
print(path.read_text(), os.listdir(folder))
subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
try:
    with editing(path) as edit:
        edit.set(("a",), 2)
except WriteFailed as error:
    print(error)
"""
    if subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "x", tmp_path], check=False
    ).returncode:
        pytest.skip("this machine lets nobody mount a file system of their own")

    said = python(script, tmp_path, under=["unshare", "-rm"])

    assert "No space left on device" in said
    assert "free some disk space" in said
    assert "\na = 1\n ['profiles.toml']\n" in said
    assert "Read-only file system" in said


def test_a_write_that_fails_half_way_leaves_no_draft(profiles: Any) -> None:
    script = """
import resource, sys
from pathlib import Path
from dspy_profiles.config import editing
from dspy_profiles.errors import WriteFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with editing(Path(sys.argv[1])) as edit:
        edit.set(("a",), "x" * 100_000)
except WriteFailed as error:
    print(error)
"""
    assert "File too large" in python(script, profiles)
    assert profiles.read_text() == "a = 1\n"
    assert names(profiles.parent) == ["profiles.toml"]


class Colour(StrEnum):
    RED = "red"


PLAIN = [
    "",
    "é\u2028\x85\x7f\x00\x1f\\\"'\n\t",
    True,
    0,
    -(2**63),
    1e22,
    -0.0,
    5e-324,
    float("inf"),
]
NESTED = [[], {}, [[1], [{"a b": []}], "x"], {"": {"é": {"x.y": [1, {}]}}}]
DATES = [date(2020, 1, 2), time(1, 2, 3, 4), datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)]


@pytest.mark.parametrize("value", PLAIN + NESTED + DATES)
def test_every_value_comes_back_as_what_it_was(profiles: Any, value: Any) -> None:
    with editing(profiles) as edit:
        edit.set(("x", "y.z"), value)

    back = tomli.loads(profiles.read_bytes().decode())["x"]["y.z"]
    assert (repr(back), type(back)) == (repr(value), type(value)) or back == value


def test_nan_tuples_and_text_enumerations_are_written_as_toml_has_them(profiles: Any) -> None:
    with editing(profiles) as edit:
        edit.set(("a",), (float("nan"), Colour.RED))

    assert profiles.read_text() == 'a = [nan, "red"]\n'


@pytest.mark.parametrize(
    "value", [None, [None], {"a": None}, object(), b"x", {1: 2}, {1}, time(1, tzinfo=UTC)]
)
def test_what_toml_cannot_say_is_refused(profiles: Any, value: Any) -> None:
    with pytest.raises(InvalidProfile) as caught, editing(profiles) as edit:
        edit.set(("a",), value)

    assert caught.value.hint
    assert "TOML " in caught.value.message
    assert profiles.read_text() == "a = 1\n"


def test_a_lone_half_of_a_character_is_refused_as_value_and_as_key(profiles: Any) -> None:
    halves: list[tuple[tuple[str], TomlValue]] = [(("a",), "\ud800"), (("\ud800",), 1)]
    for key, value in halves:
        with pytest.raises(InvalidFile), editing(profiles) as edit:
            edit.set(key, value)


def test_an_edit_that_cannot_be_is_refused_and_the_next_one_still_works(profiles: Any) -> None:
    profiles.write_text("a = 1\n[[b]]\nc = 1\n[d]\n")

    change: Callable[[], None]
    with editing(profiles) as edit:
        for change in [
            lambda: edit.set(("a", "x"), 1),
            lambda: edit.set(("b", "c"), 1),
            lambda: edit.set((), 1),
            lambda: edit.rename(("a",), ("d",)),
            lambda: edit.rename(("a",), ("d", "a")),
            lambda: edit.copy(("d",), ("a",)),
            lambda: edit.copy(("d",), ("a", "d")),
            lambda: edit.header_comment("# schema"),
            lambda: edit.header_comment("#:schema x\ny = 1"),
        ]:
            with pytest.raises(InvalidProfile) as caught:
                change()
            assert caught.value.hint
        for change in [
            lambda: edit.unset(("x",)),
            lambda: edit.unset(("a", "x")),
            lambda: edit.unset(("b", "c")),
            lambda: edit.rename(("x",), ("y",)),
            lambda: edit.copy(("x",), ("y",)),
        ]:
            with pytest.raises(KeyError):
                change()
        edit.rename(("a",), ("a",))
        edit.set(("d", "e"), 1)

    assert profiles.read_text() == "a = 1\n[[b]]\nc = 1\n[d]\ne = 1\n"


def test_what_is_not_faithful_is_refused(profiles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dspy_profiles.config._toml_edit.with_value", lambda text, *_: text + "b = 2\n"
    )

    with (
        pytest.raises(InvalidFile, match="without changing other keys") as caught,
        editing(profiles) as edit,
    ):
        edit.set(("a",), 2)

    assert isinstance(caught.value.where, Place)
    assert caught.value.where.line == 1
    assert profiles.read_text() == "a = 1\n"


def test_what_the_edit_shows_may_be_changed_without_effect(profiles: Any) -> None:
    with editing(profiles) as edit:
        edit.data["a"] = 5
        edit.set(("b",), 2)

    assert profiles.read_text() == "a = 1\nb = 2\n"
    assert read_toml(profiles).data == {"a": 1, "b": 2}


def test_reading_loads_neither_tomlkit_nor_filelock() -> None:
    script = """
import sys
import dspy_profiles.config._edit
loaded = {"tomlkit", "filelock", "dspy", "typer", "rich", "pluggy"} & set(sys.modules)
print(sorted(loaded))
"""
    assert python(script) == "[]\n"
