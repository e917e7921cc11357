"""The one writer of whole files."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import write_atomically
from dspy_profiles.errors import Place, WriteFailed


def write(path: Any, content: bytes = b"new", **options: Any) -> None:
    with write_atomically(path, **options) as file:
        file.write(content)


def names(path: Any) -> Any:
    return [entry.name for entry in path.parent.iterdir()]


@pytest.fixture(params=[False, True], ids=["one draft", "unique drafts"])
def unique(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Any:
    return tmp_path / "x"


def test_a_new_file_gets_the_mode_less_the_umask(path: Any, unique: Any) -> None:
    write(path, new_mode=0o666, unique=unique)

    umask = os.umask(0)
    os.umask(umask)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert names(path) == ["x"]


def test_an_old_file_keeps_its_mode(path: Any, unique: Any) -> None:
    path.write_bytes(b"old")
    path.chmod(0o640)

    write(path, new_mode=0o666, unique=unique)

    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_a_link_is_followed(path: Any, unique: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere" / "y")

    write(path, unique=unique)

    assert path.is_symlink()
    assert (tmp_path / "elsewhere" / "y").read_bytes() == b"new"


def test_an_error_in_the_block_leaves_the_old_file_alone(path: Any, unique: Any) -> None:
    path.write_bytes(b"old")

    def fail() -> Iterator[Any]:
        yield b"half"
        raise KeyError

    with pytest.raises(KeyError), write_atomically(path, unique=unique) as file:
        file.writelines(fail())

    assert (path.read_bytes(), names(path)) == (b"old", ["x"])


def test_a_draft_that_is_not_accepted_is_removed(path: Any, unique: Any) -> None:
    path.write_bytes(b"old")
    drafts = []

    def refuse(draft: Path) -> bool:
        drafts.append(draft.read_bytes())
        return False

    write(path, unique=unique, accept=refuse)

    assert drafts == [b"new"]
    assert (path.read_bytes(), names(path)) == (b"old", ["x"])


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_not_overwritten_if_it_must_be_new(
    path: Any, unique: Any, has_links: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_links:
        monkeypatch.setattr("os.link", lambda *_: Path(os.devnull).readlink())  # an OSError
    options = {"unique": unique, "overwrite": False, "raw_errors": True}
    write(path, b"first", **options)

    with pytest.raises(FileExistsError):
        write(path, b"second", **options)

    assert (path.read_bytes(), names(path)) == (b"first", ["x"])


def test_errors_name_the_file_and_a_way_out_unless_raw(tmp_path: Path, unique: Any) -> None:
    path = tmp_path / "missing" / "x"

    with pytest.raises(WriteFailed, match="cannot write x: No such file") as caught:
        write(path, unique=unique)
    with pytest.raises(FileNotFoundError):
        write(path, unique=unique, raw_errors=True)

    assert isinstance(caught.value.where, Place)
    assert caught.value.where.file == path
    assert caught.value.hint is not None
    assert "permissions" in caught.value.hint
