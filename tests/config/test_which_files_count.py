"""From a working directory and an environment to the files that are read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import _locations as locations
from dspy_profiles.errors import InvalidFile, Place, ProfileNotFound
from dspy_profiles.profiles import list_profiles, resolve


def layers() -> Any:
    return [(layer.name, layer.path) for layer in locations.find_locations().layers]


def test_without_any_file_there_are_no_layers_and_nothing_is_made(
    home: Path, project: Path
) -> None:
    found = locations.find_locations()
    assert found.layers == ()
    assert found.user_file == home / ".dspy" / "profiles.toml"
    assert found.user_config == home / ".dspy" / "config.toml"
    assert not (home / ".dspy").exists()


def test_the_users_file_is_in_dot_dspy(home: Path, write: Any) -> None:
    file = write(home / ".dspy/profiles.toml", "")
    assert layers() == [("user", file)]


@pytest.mark.parametrize("name", ["profiles.toml", "config.toml"])
def test_under_xdg_the_file_there_wins_and_hides_the_other(
    home: Path, write: Any, name: Any
) -> None:
    os.environ["XDG_CONFIG_HOME"] = str(home / "xdg")
    first = write(home / "xdg/dspy" / name, "")
    plain = write(home / ".dspy" / name, "")
    found = locations.find_locations()
    assert first in (found.user_file, found.user_config)
    assert found.hidden == (plain,)


def test_xdg_without_a_file_leaves_the_plain_one_in_force(home: Path, write: Any) -> None:
    os.environ["XDG_CONFIG_HOME"] = str(home / "xdg")
    plain = write(home / ".dspy/profiles.toml", "")
    found = locations.find_locations()
    assert (found.user_file, found.hidden) == (plain, ())


def test_a_new_user_file_is_made_where_it_would_be_looked_for_first(home: Path) -> None:
    os.environ["XDG_CONFIG_HOME"] = str(home / "xdg")
    found = locations.find_locations()
    assert found.user_file == home / "xdg/dspy/profiles.toml"
    assert found.user_config == home / "xdg/dspy/config.toml"


@pytest.mark.parametrize("value", ["", "xdg", "./xdg", "~/xdg"])
def test_a_relative_xdg_folder_is_ignored(
    home: Path, project: Path, write: Any, value: Any
) -> None:
    write(project / value / "dspy/profiles.toml", "")
    os.environ["XDG_CONFIG_HOME"] = value
    assert locations.find_locations().user_file == home / ".dspy/profiles.toml"


def test_an_xdg_file_that_links_to_the_plain_one_hides_nothing(home: Path, write: Any) -> None:
    os.environ["XDG_CONFIG_HOME"] = str(home / "xdg")
    plain = write(home / ".dspy/profiles.toml", "")
    (home / "xdg/dspy").mkdir(parents=True)
    (home / "xdg/dspy/profiles.toml").symlink_to(plain)
    assert locations.find_locations().hidden == ()


def test_the_nearest_project_file_is_found_from_a_folder_below(
    project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", "")
    near = write("a/profiles.toml", "")
    (project / "a/b/c").mkdir(parents=True)
    monkeypatch.chdir(project / "a/b/c")
    found = locations.find_locations()
    assert [layer.path for layer in found.layers] == [near]
    assert found.root == project / "a"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_walk_ends_at_the_first_folder_with_git(
    project: Path, write: Any, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    write("profiles.toml", "")
    inner = project / "inner"
    (inner / "deep").mkdir(parents=True)
    if kind == "folder":
        (inner / ".git").mkdir()
    else:
        (inner / ".git").write_text("gitdir: elsewhere\n")
    monkeypatch.chdir(inner / "deep")
    found = locations.find_locations()
    assert (found.layers, found.root) == ((), inner)


def test_the_folder_with_git_itself_counts(project: Path, write: Any) -> None:
    file = write("profiles.toml", "")
    assert layers() == [("project", file)]


def test_neither_the_home_folder_nor_what_is_above_is_ever_a_project(
    tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "user"
    os.environ["HOME"] = str(user)
    write(user / "profiles.toml", "")
    write(tmp_path / "profiles.toml", "")
    (user / "work").mkdir()
    monkeypatch.chdir(user / "work")
    assert locations.find_locations().layers == ()
    monkeypatch.chdir(user)
    found = locations.find_locations()
    assert (found.layers, found.root) == ((), user)


def test_a_home_that_is_reached_through_a_link_is_still_the_home(
    home: Path, tmp_path: Path, write: Any
) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    os.environ["HOME"] = str(link)
    write(home / "profiles.toml", "")
    (home / "project/.git").rmdir()
    assert locations.find_locations().layers == ()


def test_without_git_the_walk_goes_up_outside_of_the_home(
    tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "profiles.toml", "")
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    found = locations.find_locations()
    assert found.project_file == file
    assert found.root == tmp_path


def test_without_git_and_file_the_working_directory_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert locations.find_locations().root == tmp_path / "a"


def test_the_project_comes_before_the_user(home: Path, project: Path, write: Any) -> None:
    user = write(home / ".dspy/profiles.toml", "")
    own = write("profiles.toml", "")
    assert layers() == [("project", own), ("user", user)]


def test_the_users_file_reached_as_the_projects_is_the_users_alone(
    home: Path, project: Path, write: Any
) -> None:
    user = write(home / ".dspy/profiles.toml", "[only.lm]\n")
    (project / "profiles.toml").symlink_to(user)
    assert layers() == [("user", user)]
    assert resolve("only").name == "only"


def test_a_linked_project_file_is_read_and_named_as_it_is_reached(
    project: Path, tmp_path: Path, write: Any
) -> None:
    target = write(tmp_path / "shared.toml", "[a.lm]\nmodel = 'm'\n")
    (project / "profiles.toml").symlink_to(target)
    assert resolve("a").origin("lm.model").file == project / "profiles.toml"


def test_a_link_to_nowhere_is_no_file(project: Path) -> None:
    (project / "profiles.toml").symlink_to(project / "gone.toml")
    assert locations.find_locations().layers == ()


@pytest.mark.parametrize("spelled", ["absolute", "relative", "tilde"])
def test_dspy_profiles_path_replaces_both_layers(
    home: Path, project: Path, write: Any, spelled: Any
) -> None:
    write(home / ".dspy/profiles.toml", "[user]\n")
    write("profiles.toml", "[project]\n")
    named = write(home / "named.toml", "[named]\n")
    spellings = {"absolute": str(named), "relative": "../named.toml", "tilde": "~/named.toml"}
    os.environ["DSPY_PROFILES_PATH"] = spellings[spelled]
    found = locations.find_locations()
    assert [layer.name for layer in found.layers] == ["file"]
    assert found.named_file is not None
    assert found.named_file.samefile(named)
    assert list_profiles() == ["named", "mock"]


def test_a_tilde_is_the_home_of_the_environment_that_was_given(home: Path, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "DSPY_PROFILES_PATH": "~/p.toml"}
    assert locations.find_locations(environ=environ).named_file == tmp_path / "p.toml"


def test_a_named_file_that_does_not_exist_is_said_where_a_profile_is_missed(project: Path) -> None:
    os.environ["DSPY_PROFILES_PATH"] = "gone.toml"
    with pytest.raises(ProfileNotFound, match=r"gone\.toml does not exist"):
        resolve("prod")
    assert resolve("mock").name == "mock"


def test_the_home_of_somebody_who_does_not_exist_is_a_file_that_does_not_exist(
    project: Path,
) -> None:
    os.environ["DSPY_PROFILES_PATH"] = "~no-such-user-here/p.toml"
    with pytest.raises(ProfileNotFound, match="does not exist"):
        resolve("prod")


def test_an_empty_dspy_profiles_path_names_nothing(project: Path, write: Any) -> None:
    write("profiles.toml", "[a]\n")
    os.environ["DSPY_PROFILES_PATH"] = ""
    assert list_profiles() == ["a", "mock"]


def test_an_argument_goes_before_dspy_profiles_path(project: Path, write: Any) -> None:
    write("one.toml", "[one]\n")
    write("two.toml", "[two]\n")
    os.environ["DSPY_PROFILES_PATH"] = "one.toml"
    assert list_profiles(file="two.toml") == ["two", "mock"]
    assert list_profiles(file=Path("two.toml")) == ["two", "mock"]


def test_a_folder_in_the_place_of_a_file_is_an_error_that_names_it(project: Path) -> None:
    (project / "profiles.toml").mkdir()
    with pytest.raises(InvalidFile, match="folder") as error:
        resolve("mock")
    assert isinstance(error.value.where, Place)
    assert error.value.where.file == project / "profiles.toml"


def test_a_pin_survives_a_change_of_the_working_directory(
    project: Path, write: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("profiles.toml", "[pinned]\n")
    write(tmp_path / "profiles.toml", "[other]\n")
    locations.pin_locations(locations.find_locations())
    monkeypatch.chdir(tmp_path)
    assert locations.are_locations_pinned()
    assert list_profiles() == ["pinned", "mock"]
    locations.unpin_locations()
    assert list_profiles() == ["other", "mock"]


def test_a_file_that_is_named_passes_a_pin(project: Path, write: Any) -> None:
    locations.pin_locations(locations.find_locations())
    write("named.toml", "[named]\n")
    assert list_profiles(file="named.toml") == ["named", "mock"]


def test_env_files_are_of_the_working_directory_then_the_root_then_the_user(
    home: Path, project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    places = [project / "sub/.env", project / ".env", home / ".dspy/.env"]
    assert list(locations.find_locations().env_files) == places
    monkeypatch.chdir(project)
    assert list(locations.find_locations().env_files) == places[1:]


@pytest.mark.parametrize("home", ["/dev/null", "/" + "x" * 300, "/proc/1/nowhere"])
def test_a_home_that_cannot_be_looked_into_is_an_empty_one(
    project: Path, write: Any, home: str
) -> None:
    write("profiles.toml", "[a]\n")
    os.environ["HOME"] = home
    assert resolve("a").name == "a"


def test_a_working_directory_that_is_gone_is_an_error_of_ours(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from dspy_profiles import ProfileError, resolve\n"
        "try: resolve('mock')\n"
        "except ProfileError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=True
    )
    assert "working directory does not exist" in ran.stdout


def session(monkeypatch: pytest.MonkeyPatch, cwd: Path, path: Path | None, *, named: bool) -> None:
    told = {"version": 1, "cwd": str(cwd), "path": path and str(path), "named": named}
    monkeypatch.setenv("DSPY_PROFILES_SESSION", json.dumps(told))
    if path is not None:
        monkeypatch.setenv("DSPY_PROFILES_PATH", str(path))


def test_below_a_run_its_working_directory_and_all_of_its_files_count(
    home: Path, project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = write(home / ".dspy" / "profiles.toml", "")
    projects = write("profiles.toml", "")
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    session(monkeypatch, project, projects, named=False)
    os.chdir(elsewhere)
    found = locations.find_locations()
    assert [(la.name, la.path) for la in found.layers] == [("project", projects), ("user", users)]
    assert found.cwd == project


def test_below_a_run_a_file_that_its_user_named_is_the_only_one(
    project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", "")
    named = write("other.toml", "")
    session(monkeypatch, project, named, named=True)
    assert [(la.name, la.path) for la in locations.find_locations().layers] == [("file", named)]


def test_below_a_run_another_file_named_since_wins(
    home: Path, project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session(monkeypatch, home, write("profiles.toml", ""), named=False)
    later = write("later.toml", "")
    monkeypatch.setenv("DSPY_PROFILES_PATH", str(later))
    found = locations.find_locations()
    assert [(la.name, la.path) for la in found.layers] == [("file", later)]
    assert found.cwd == project


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"x"', '{"path": null, "named": 1, "cwd": 3}'])
def test_a_session_variable_that_run_never_wrote_is_told(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILES_SESSION", text)
    with pytest.raises(InvalidFile, match="DSPY_PROFILES_SESSION is not what"):
        locations.find_locations()
