"""Every problem at once, each once, where it was written."""

from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.cli.doctor._findings import validate
from dspy_profiles.errors import Place


def told(file: Path | None = None) -> list[tuple[str, int | None, str]]:
    """Severity, line and message of every problem."""
    return [
        (f.severity, f.where.line if isinstance(f.where, Place) else None, f.message)
        for f in validate(file).problems
    ]


def messages() -> str:
    return "\n".join(message for _, _, message in told())


def test_sound_profiles_have_no_faults(write: Any) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/gpt-4o"\n\n[b]\nextends = "a"\n')
    found = validate()
    assert (found.problems, found.profiles, len(found.files)) == ((), 2, 1)


def test_nothing_at_all_is_sound(project: Path) -> None:
    found = validate()
    assert (found.problems, found.profiles, found.files) == ((), 0, ())


def test_a_broken_file_hides_no_fault_of_another(write: Any, home: Path) -> None:
    write("profiles.toml", "[a\n")
    user = write(home / ".dspy/profiles.toml", '[b.lm]\nmodel = "openai/x"\ntemperature = "hot"\n')
    write("pyproject.toml", "[tool.dspy-profiles]\ncolour = 1\n")
    write(home / ".dspy/config.toml", "= 1\n")
    found = {str(f.where) for f in validate().problems}
    assert {f"{user}:3", "pyproject.toml:2", "profiles.toml:1", "config.toml:1"} == {
        name if name == f"{user}:3" else Path(name).name for name in found
    }


def test_what_may_stand_in_a_broken_file_is_not_missed(write: Any, home: Path) -> None:
    write(home / ".dspy/profiles.toml", "[base\n")
    write("profiles.toml", '[dev]\nextends = "base"\n[dev.lm]\ntemperature = 0\n')
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "base"\n')
    assert len(told()) == 1
    assert "is not valid TOML" in messages()


def test_a_cycle_and_a_wrong_type_of_the_same_profile_are_both_told(write: Any) -> None:
    write(
        "profiles.toml",
        '[a]\nextends = "b"\nlm.temperature = "hot"\n'
        '[b]\nextends = "a"\nsettings.num_threads = "x"\n',
    )
    assert [(line, message.partition(":")[0]) for _, line, message in told()] == [
        (3, "lm.temperature"),
        (5, "profiles extend each other in a circle"),
        (6, "settings.num_threads"),
    ]


def test_a_circle_is_told_once_whoever_leads_into_it(write: Any) -> None:
    write(
        "profiles.toml",
        '[in]\nextends = "a"\n[a]\nextends = "b"\n[b]\nextends = "c"\n[c]\nextends = "a"\n'
        '[self]\nextends = "self"\n',
    )
    assert messages().count("circle") == 1
    assert '"self" extends "self", which does not exist in a layer below' in messages()


def test_two_circles_through_one_profile_are_two_faults(write: Any) -> None:
    write("profiles.toml", '[a]\nextends = ["b", "c"]\n[b]\nextends = "a"\n[c]\nextends = "a"\n')
    assert messages().count("circle") == 2


def test_every_unknown_parent_is_told_with_what_it_may_have_been(write: Any) -> None:
    write("profiles.toml", '[base.lm]\nmodel = "openai/x"\n[b]\nextends = ["bsae", "zzz"]\n')
    faults = validate().problems
    assert [f.message for f in faults] == [
        'profile "b" extends "bsae", which does not exist',
        'profile "b" extends "zzz", which does not exist',
    ]
    assert faults[0].hint is not None
    assert 'did you mean "base"?' in faults[0].hint


def test_an_inherited_fault_is_told_once_where_it_was_written(write: Any) -> None:
    write(
        "profiles.toml",
        """
        [base.lm]
        model = "openai/x"
        temperature = "hot"
        [dev]
        extends = "base"
        [prod]
        extends = "dev"
        """,
    )
    assert [(line, message) for _, line, message in told()] == [
        (3, 'lm.temperature: expected a number, got the string "hot"')
    ]


def test_an_inherited_plaintext_secret_is_told_once(write: Any) -> None:
    write(
        "profiles.toml",
        '[base.lm]\nmodel = "openai/x"\napi_key = "sk-canary-1"\n[dev]\nextends = "base"\n',
    )
    assert told() == [("error", 3, 'profile "base": lm.api_key is a plaintext secret')]


def test_every_plaintext_secret_has_a_line_of_its_own(write: Any) -> None:
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/x"\napi_key = "sk-canary-1"\n'
        'extra_headers.Authorization = "Bearer canary-123456"\n',
    )
    assert [line for _, line, _ in told()] == [3, 4]
    assert "canary" not in messages()


def test_what_comes_about_only_together_is_told_where_it_comes_about(write: Any) -> None:
    write(
        "profiles.toml",
        """
        [base]
        settings.num_threads = 2
        [dev]
        extends = "base"
        [dev.adapter]
        lm_tokens = 3
        [late]
        extends = "dev"
        adapter.class = "dspy.JSONAdapter"
        [later]
        extends = "late"
        """,
    )
    assert told() == [
        ("error", 6, 'adapter.lm_tokens: dspy.JSONAdapter has no parameter "lm_tokens"')
    ]


def test_a_profile_that_others_extend_may_lack_a_model(write: Any) -> None:
    write(
        "profiles.toml",
        '[base.lm]\ntemperature = 0\n[dev]\nextends = "base"\nlm.model = "openai/x"\n',
    )
    assert told() == []


def test_each_that_nobody_extends_needs_one(write: Any) -> None:
    write(
        "profiles.toml",
        '[base.lm]\ntemperature = 0\n[dev]\nextends = "base"\n[prod]\nextends = "base"\n',
    )
    assert [(line, message) for _, line, message in told()] == [
        (3, "lm.model: is missing"),
        (5, "lm.model: is missing"),
    ]


def test_a_section_that_is_no_table_lacks_nothing_besides(write: Any) -> None:
    write("profiles.toml", '[base.lm]\ntemperature = 0\n[a]\nextends = "base"\nlm = 3\n')
    assert told() == [("error", 5, 'profile "a": lm must be a table')]


def test_a_model_that_a_missing_parent_may_bring_is_not_missed(write: Any) -> None:
    write("profiles.toml", '[dev]\nextends = "gone"\nlm.temperature = 0\n')
    assert len(told()) == 1


def test_every_wrong_value_of_env_has_its_line(write: Any) -> None:
    write("profiles.toml", '[a.env]\nA = 1\nB = "x"\nC = true\n')
    assert [line for _, line, _ in told()] == [2, 4]


def test_a_variable_that_no_environment_holds_is_told(write: Any) -> None:
    write("profiles.toml", '[a.env]\n"A=B" = "x"\n')
    assert len(told()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 3", 'profile "a" is not a table'),
        ("[a]\nlm = 3", 'profile "a": lm must be a table'),
        ("[a]\nextends = 3", 'profile "a": extends must be'),
        ("[a]\ncolour = 3", 'profile "a": unknown section "colour"'),
        ("[a]\ndescription = 3", 'profile "a": description must be a string'),
        ('[a.lm]\nmodel = "${"', 'profile "a": lm.model has a "${" without a variable'),
        ('[a.adapter]\nclass = "dspy.Nothing"', "adapter.class: dspy has no Nothing"),
        ('[a.lm]\nmodel = "openai/x"\ntemprature = 1', 'dspy.LM has no parameter "temprature"'),
    ],
)
def test_each_kind_of_fault_is_told_once(write: Any, text: str, said: str) -> None:
    write("profiles.toml", text)
    (one,) = told()
    assert said in one[2]


def test_a_shadowed_definition_is_looked_at_too(write: Any, home: Path) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    write(home / ".dspy/profiles.toml", '[a.lm]\nmodel = "openai/x"\ntemperature = "hot"\n')
    (problem,) = validate().problems
    assert str(problem.where) == f"{home}/.dspy/profiles.toml:3"


def test_every_wrong_setting_is_told(write: Any) -> None:
    write(
        "pyproject.toml",
        '[tool.dspy-profiles]\ndefault = "nope"\ncolour = 1\nenv-file = 3\nsecret-keys = "x"\n',
    )
    assert [line for _, line, _ in told()] == [2, 3, 4]


def test_settings_that_are_no_table_are_told(write: Any) -> None:
    write("pyproject.toml", "[tool]\ndspy-profiles = 3\n")
    assert told() == [("error", 2, "[tool.dspy-profiles] is not a table")]


def test_a_sound_setting_beside_a_wrong_one_still_counts(write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ncolour = 1\nnot-secret = "api_key"\n')
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_key = "plain"\n')
    assert [message for _, _, message in told()] == ['unknown setting "colour"']


def test_a_named_file_that_is_not_there_is_told(project: Path) -> None:
    (project / "profiles.toml").write_text("")
    (problem,) = validate(project / "profile.toml").problems
    assert (problem.message, problem.hint) == (
        "file not found",
        'did you mean "profiles.toml"?',
    )


def test_a_very_long_row_of_profiles_is_one_fault(write: Any) -> None:
    rows = [f'[p{n}]\nextends = "p{n + 1}"\n' for n in range(3000)]
    write("profiles.toml", "".join([*rows, '[p3000.lm]\nmodel = "openai/x"\n']))
    (problem,) = validate().problems
    assert "extends more than 100 levels" in problem.message


def test_a_warning_about_dspy_itself_is_told_once(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dspy_profiles import schema as dspy_api

    bare = {**dspy_api.descriptor(), "open": True, "reason": "it is not there"}
    monkeypatch.setattr(dspy_api, "descriptor", lambda: bare)
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n[b.lm]\nmodel = "openai/x"\n')
    assert told() == [("warning", None, "arguments of DSPy cannot be checked: it is not there")]


def test_a_broken_line_of_an_env_file_is_a_warning_with_its_place(write: Any, caplog: Any) -> None:
    path = write(".env", "A=1\nsk-canary what\n")
    (problem,) = validate().problems
    assert (problem.severity, problem.where) == ("warning", Place(path, 2))
    assert "canary" not in problem.message
    assert caplog.messages == []
