"""What keeps a profile from being used, step by step."""

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles import plugins
from dspy_profiles.cli.doctor._walk import Examined, examine
from dspy_profiles.errors import ProfileNotFound


def statuses(one: Examined) -> dict[str, str]:
    return {check.name: check.status for check in one.checks}


def only(*names: str, **how: Any) -> Examined:
    (one,) = examine(names, **how).profiles
    return one


def test_a_sound_profile_passes_every_step(write: Any) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/gpt-4o"\n')
    one = only("a")
    assert set(statuses(one).values()) == {"ok"}
    assert one.built is not None


def test_without_names_the_profile_that_applies_is_looked_at(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("profiles.toml", "[a]\n[b]\n")
    monkeypatch.setenv("DSPY_PROFILE", "b")
    assert only().name == "b"


def test_all_are_looked_at_where_none_applies(write: Any) -> None:
    write("profiles.toml", "[b]\n[a]\n")
    assert [one.name for one in examine().profiles] == ["a", "b"]


def test_all_means_those_that_a_file_defines(write: Any) -> None:
    write("profiles.toml", "[a]\n[default]\n")
    assert [one.name for one in examine(every=True).profiles] == ["a", "default"]


def test_the_built_in_one_is_all_there_is_without_a_file(project: Path) -> None:
    one = only()
    assert (one.name, one.is_valid) == ("mock", True)


def test_an_unknown_name_is_an_error_that_lists_the_known(write: Any) -> None:
    write("profiles.toml", "[prod]\n")
    with pytest.raises(ProfileNotFound, match='did you mean "prod"'):
        examine(["prd"])


def test_a_name_in_a_broken_file_is_not_called_unknown(write: Any) -> None:
    write("profiles.toml", "[prod\n")
    one = only("prod")
    assert statuses(one)["file"] == "error"
    assert not one.is_valid


def test_a_broken_file_stops_the_profiles_of_the_others_too(write: Any, home: Path) -> None:
    write("profiles.toml", "[a\n")
    write(home / ".dspy/profiles.toml", "[b]\n")
    one = only(every=True)
    assert (one.name, statuses(one)["file"]) == ("b", "error")


def test_all_missing_secrets_are_told_each_once(write: Any) -> None:
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/x"\napi_key = "${ONE_KEY}"\n'
        'extra_headers.x = "${TWO_KEY}"\nextra_headers.y = "${ONE_KEY}"\n',
    )
    one = only("a")
    assert [problem.message for problem in one.problems] == [
        "ONE_KEY is not set",
        "TWO_KEY is not set",
    ]
    assert statuses(one)["build"] == "skipped"


def test_a_secret_in_an_env_file_is_there(write: Any) -> None:
    write(".env", "ONE_KEY=canary-1234\n")
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "${ONE_KEY}"\n')
    assert only("a").is_valid


def test_a_key_that_the_provider_ignores_need_not_be_there(write: Any) -> None:
    write(
        "profiles.toml",
        '[a]\nprovider.class = "mock"\n[a.lm]\nmodel = "openai/x"\napi_key = "${GONE}"\n',
    )
    assert only("a").is_valid


def test_a_secret_in_clear_is_told_and_nothing_is_built(write: Any) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "sk-canary-1"\n')
    one = only("a")
    assert (statuses(one)["profile"], statuses(one)["build"]) == ("error", "skipped")
    assert "canary" not in repr(one)


def test_a_class_that_cannot_be_imported_is_told_once(write: Any) -> None:
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nrm.class = "nowhere.RM"\n')
    one = only("a")
    assert statuses(one) | {"secrets": "ok"} == statuses(one)
    assert [problem.key for problem in one.problems] == [("rm", "class")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise OSError('no disk')", "OSError: no disk"),
        ("import sys; sys.exit(3)", "exits the process"),
        ("x = 1", 'has no "RM"'),
        ("RM = 1", "is not a class"),
    ],
)
def test_what_a_users_module_does_on_import_is_a_fault_of_the_profile(
    write: Any, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"users_{abs(hash(code))}"
    write(f"{name}.py", code)
    write("profiles.toml", f'[a]\nlm.model = "openai/x"\nrm.class = "{name}.RM"\n')
    one = only("a")
    assert any(said in problem.message for problem in one.problems)
    assert statuses(one)["packages"] == "error" or statuses(one)["profile"] == "error"


def test_what_a_users_module_prints_is_held_back(
    write: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(
        "talking.py",
        "import logging, sys, warnings\nprint('out')\nprint('err', file=sys.stderr)\n"
        "warnings.warn('warned')\nlogging.error('logged')\n"
        "class RM:\n    def __init__(self): print('made')\n",
    )
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nrm.class = "talking.RM"\n')
    assert only("a").is_valid
    assert capfd.readouterr() == ("", "")


def test_a_constructor_that_fails_is_told_with_its_place(
    write: Any, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write("failing.py", "class RM:\n    def __init__(self): raise ValueError('no index')\n")
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nrm.class = "failing.RM"\n')
    one = only("a")
    assert statuses(one)["build"] == "error"
    assert "no index" in one.problems[0].message
    assert str(one.problems[0].where) == f"{project}/profiles.toml:3"


def test_what_has_no_model_and_is_there_to_be_extended_is_no_fault(write: Any) -> None:
    write(
        "profiles.toml",
        '[base.lm]\ntemperature = 0\n[a]\nextends = "base"\nlm.model = "openai/x"\n',
    )
    a, base = examine(every=True).profiles
    assert (a.is_valid, base.children) == (True, ("a",))
    assert not only("base").is_valid  # asked for by name, it has to work


def test_a_profile_without_any_lm_is_looked_at_like_any_other(write: Any) -> None:
    write(
        "profiles.toml",
        '[default.settings]\nnum_threads = 2\n[a]\nextends = "default"\nlm.model = "openai/x"\n',
    )
    assert [one.children for one in examine(every=True).profiles] == [(), ()]


def test_the_profile_that_applies_has_to_work_even_if_others_extend_it(write: Any) -> None:
    write(
        "profiles.toml",
        '[default.lm]\ntemperature = 0\n[a]\nextends = "default"\nlm.model = "openai/x"\n',
    )
    assert not only().is_valid


def test_which_layer_shadows_which_is_known(write: Any, home: Path) -> None:
    write("profiles.toml", "[a]\n")
    below = write(home / ".dspy/profiles.toml", "# the user's\n[a]\n")
    one = only("a")
    assert [str(definition.place()) for definition in one.shadows] == [f"{below}:2"]


def test_a_user_file_that_another_one_hides_is_warned_about(
    write: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    first = write(home / ".config/dspy/profiles.toml", "[a]\n")
    hidden = write(home / ".dspy/profiles.toml", "[b]\n")
    found = examine()
    assert [(problem.severity, problem.message) for problem in found.problems] == [
        ("warning", f"{hidden} is ignored, because {first} exists")
    ]
    assert examine(file=first).problems == ()


def test_a_cache_that_cannot_be_written_is_a_warning(write: Any, project: Path) -> None:
    write("taken", "a file")
    write("profiles.toml", f'[a.env]\nDSPY_CACHEDIR = "{project}/taken/cache"\n')
    one = only("a")
    assert (statuses(one)["cache"], one.is_valid) == ("warning", True)


def test_looking_makes_no_cache_folder(write: Any, home: Path) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    assert only("a").is_valid
    assert not (home / ".dspy_cache").exists()


def test_roles_and_the_embedder_are_built_too(write: Any) -> None:
    write("profiles.toml", '[a.lms.teacher]\nmodel = "openai/"\n')
    one = only("a")
    assert statuses(one)["build"] == "error"
    assert "lms.teacher" in one.problems[0].message


def test_two_profiles_that_want_another_environment_are_told(write: Any) -> None:
    write("profiles.toml", '[a.env]\nOURS = "1"\n[b.env]\nOURS = "2"\n')
    a, b = examine(every=True).profiles
    assert (a.problems, b.is_valid) == ([], True)
    assert "OURS" in b.problems[0].message
    assert os.environ["OURS"] == "1"


def test_a_dspy_that_is_too_old_is_told_with_the_command_that_mends_it(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _name: "2.6.27")
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    (problem,) = only("a").problems
    assert (problem.message, problem.hint) == (
        "DSPy 2.6.27 is not supported",
        "pip install 'dspy>=3.0,<4'",
    )


def test_without_dspy_its_secrets_are_looked_at_and_nothing_else_is(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", gone)
    monkeypatch.setattr(metadata, "requires", gone)
    monkeypatch.setitem(sys.modules, "dspy", None)
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "${ONE_KEY}"\n')
    one = only("a")
    assert [problem.message.partition(":")[0] for problem in one.problems] == [
        "ONE_KEY is not set",
        "DSPy cannot be imported",
    ]
    assert one.problems[1].hint == "pip install dspy"
    assert statuses(one)["build"] == "skipped"


def test_an_unknown_provider_is_told_with_the_known_ones(write: Any) -> None:
    write("profiles.toml", '[a]\nlm.model = "x"\nprovider.class = "nobody"\n')
    (problem,) = only("a").problems
    assert problem.message == 'unknown provider "nobody"'
    assert "mock, replay" in str(problem.hint)


def test_a_provider_that_ends_the_process_leaves_its_secrets_to_be_looked_at(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write("leaving.py", "raise SystemExit('bye')\n")
    write(
        "profiles.toml",
        '[a]\nprovider.class = "leaving.Engine"\n[a.lm]\napi_key = "${ONE_KEY}"\n',
    )
    messages = [problem.message for problem in only("a").problems]
    assert "ONE_KEY is not set" in messages
    assert "provider.class exits the process (SystemExit: bye)" in messages


def test_a_constructor_that_ends_the_process_is_a_fault_and_nobody_else_is_blamed(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write("quitting.py", "class RM:\n    def __init__(self): raise SystemExit('bye')\n")
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nrm.class = "quitting.RM"\n')
    one = only("a")
    assert statuses(one)["build"] == "error"
    (problem,) = one.problems
    assert problem.message == ("a class of the profile exits the process (SystemExit: bye)")
    assert problem.key == ()


def test_a_secret_scheme_that_fails_is_a_fault(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def sealed(_rest: str) -> str:
        raise OSError("canary")

    monkeypatch.setattr(plugins, "secret_schemes", lambda: {"vault": sealed})
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "vault:x"\n')
    one = only("a")
    assert [problem.message for problem in one.problems] == [
        "the secret scheme of vault:x failed with OSError"
    ]
    assert statuses(one)["secrets"] == "error"


def test_a_class_that_a_variable_names_is_known_when_it_is_built(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTER", "dspy.JSONAdapter")
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nadapter.class = "${ADAPTER}"\n')
    assert only("a").is_valid


def test_an_embedder_is_built(write: Any) -> None:
    write("profiles.toml", '[a]\nlm.model = "openai/x"\nembedder.model = "openai/e"\n')
    assert only("a").is_valid


def test_a_broken_line_of_an_env_file_is_a_warning_and_keeps_nobody_back(
    write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "${KEY}"\n')
    path = write(".env", "? ?\nKEY=sk-canary\n")
    found = examine(["a"])
    assert [(f.severity, f.where) for f in found.problems] == [("warning", (path, 1))]
    assert found.profiles[0].is_valid
    assert caplog.messages == []
