"""`%dspy_profile`: show, switch, list, go back."""

import inspect
import os
import re
import sys
from types import ModuleType
from typing import Any

import dspy
import pytest

from dspy_profiles import profile
from dspy_profiles_ipython import _arguments as parsers

CALLBACKS = """
import dspy


class Listener(dspy.utils.BaseCallback):
    pass
"""


def test_switching_configures_dspy_and_shows_a_card(shell: Any) -> None:
    said = shell("%dspy_profile dev")
    assert shell.lm() == "openai/dev"
    (card,) = said.shown
    assert card["text/plain"].splitlines()[0] == "dev  for <b>work</b>  (active)"
    assert "openai/dev" in card["text/html"]


def test_without_a_name_the_active_profile_is_shown(shell: Any) -> None:
    shell("%dspy_profile dev")
    assert shell("%dspy_profile").shown == shell("%dspy_profile --show").shown
    assert "dev  for <b>work</b>  (active)" in shell("%dspy_profile").text


def test_where_none_is_active_it_says_so(shell: Any) -> None:
    assert shell("%dspy_profile").out == (
        "no profile is active; to apply one: %dspy_profile NAME\n"
    )


def test_where_none_is_active_the_default_is_named(write: Any, new_shell: Any) -> None:
    write("profiles.toml", '[default.provider]\nclass = "mock"\n')
    shell = new_shell()
    shell.load()
    assert "the default is default" in shell("%dspy_profile").out


def test_a_default_of_the_configuration_is_named_and_marked(new_shell: Any, profiles: Any) -> None:
    shell = new_shell(DspyProfiles={"default": "dev"})
    assert "the default profile is dev" in shell.load().out
    assert shell("%dspy_profile").out == (
        "no profile is active; the default is dev; to apply one: %dspy_profile NAME\n"
    )
    rows = [line.split() for line in shell("%dspy_profile --list").text.splitlines()]
    assert [row[0] for row in rows if row[-1] == "default"] == ["dev"]
    shell("%dspy_profile --set lm.temperature=1")
    assert (shell.lm(), dspy.settings.lm.kwargs["temperature"]) == ("openai/dev", 1)


def test_a_default_that_does_not_exist_is_said_not_to(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "prid")
    said = shell("%dspy_profile")
    assert said.error is None
    assert said.out.startswith("no profile is active: ")
    assert '"prid"' in said.out
    assert 'did you mean "prod"?' in said.out
    assert "the default is" not in said.out


def test_show_shows_a_profile_and_switches_to_none(shell: Any) -> None:
    said = shell("%dspy_profile prod --show")
    assert "prod  (not active)" in said.text
    assert "from base" in said.text
    assert shell.lm() is None


def test_show_with_set_is_a_preview(shell: Any) -> None:
    said = shell("%dspy_profile --show prod --set lm.temperature=1")
    row = next(line for line in said.text.splitlines() if line.startswith("lm.temperature"))
    assert row.split() == ["lm.temperature", "1", "override"]
    assert shell.lm() is None


def test_show_without_a_name_previews_the_active_one(shell: Any) -> None:
    shell("%dspy_profile dev")
    assert (
        "dev  for <b>work</b>  (not active)"
        in shell("%dspy_profile --show --set lm.temperature=1").text
    )


def test_the_list_marks_the_active_profile(shell: Any) -> None:
    shell("%dspy_profile dev")
    lines = shell("%dspy_profile --list").text.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("*")] == [
        ["*", "dev", "openai/dev"]
    ]
    assert lines[-1].split()[:2] == ["mock", "built"]


def test_the_list_names_a_profile_that_cannot_be_used(shell: Any, write: Any) -> None:
    write("profiles.toml", '[sound.provider]\nclass = "mock"\n[lost]\nextends = "nobody"\n')
    said = shell("%dspy_profile --list")
    assert "invalid" in said.text
    assert said.text.splitlines()[-1].startswith("lost: ")
    assert "which does not exist" in said.text
    assert said.error is None


def test_set_overrides_a_value(shell: Any) -> None:
    shell("%dspy_profile dev --set lm.temperature=0 --set settings.num_threads=3")
    assert (dspy.settings.lm.kwargs["temperature"], dspy.settings.num_threads) == (0, 3)
    assert "override" in shell("%dspy_profile").text


@pytest.mark.parametrize(
    "line",
    [
        'dev --set lm.extra_headers={"a": "b c"}',
        '"dev" --set lm.extra_headers={"a": "b c"}',
        '--set=lm.extra_headers={"a": "b c"} dev',
        'dev --set \'lm.extra_headers={"a": "b c"}\'',
        'dev --set lm.extra_headers=\'{"a": "b c"}\'',
    ],
)
def test_set_takes_json_with_spaces(shell: Any, line: Any) -> None:
    said = shell(f"%dspy_profile {line}")
    assert said.error is None
    assert "lm.extra_headers.a  b c" in said.text


def test_set_alone_overrides_the_active_profile(shell: Any) -> None:
    shell("%dspy_profile dev")
    shell("%dspy_profile --set lm.temperature=1")
    assert (shell.lm(), dspy.settings.lm.kwargs["temperature"]) == ("openai/dev", 1)
    shell("%dspy_profile --off")
    assert shell.lm() is None


def test_set_alone_without_any_profile_is_an_error(shell: Any) -> None:
    said = shell("%dspy_profile --set lm.temperature=1")
    assert said.kind == "UsageError"
    assert "no profile is active" in said.err


def test_off_puts_back_what_was_configured(shell: Any) -> None:
    mine = dspy.LM("mine")
    dspy.configure(lm=mine, num_threads=3)
    shell("%dspy_profile prod")
    assert (shell.lm(), dspy.settings.num_threads) == ("openai/prod", 7)
    shell("%dspy_profile dev")
    assert (shell.lm(), dspy.settings.num_threads) == ("openai/dev", 3)
    assert shell("%dspy_profile --off").out == "profile dev is off\n"
    assert dspy.settings.lm is mine
    assert dspy.settings.num_threads == 3
    assert shell("%dspy_profile --off").out == "no profile was applied\n"


def test_a_later_configure_of_the_users_wins_and_stays(shell: Any) -> None:
    dspy.configure(lm=dspy.LM("before"))
    shell("%dspy_profile prod")
    later = dspy.LM("later")
    dspy.configure(lm=later)
    assert dspy.settings.lm is later
    said = shell("%dspy_profile").out
    assert said == "dspy.configure has set lm since; to set it back: %dspy_profile prod\n"
    shell("%dspy_profile --off")
    assert dspy.settings.lm is later
    assert dspy.settings.num_threads != 7


def test_a_profile_after_a_later_configure_goes_back_to_that(shell: Any) -> None:
    shell("%dspy_profile prod")
    later = dspy.LM("later")
    dspy.configure(lm=later)
    shell("%dspy_profile dev")
    assert shell.lm() == "openai/dev"
    shell("%dspy_profile --off")
    assert dspy.settings.lm is later


@pytest.fixture
def listener(write: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = ModuleType("listener")
    exec(CALLBACKS, module.__dict__)
    monkeypatch.setitem(sys.modules, "listener", module)
    write(
        "profiles.toml",
        '[heard.provider]\nclass = "mock"\n[heard.settings]\ncallbacks = ["listener.Listener"]\n',
    )
    return module.Listener


def test_callbacks_add_up_and_are_put_back(listener: Any, new_shell: Any) -> None:
    shell = new_shell()
    shell.load()
    mine = dspy.utils.BaseCallback()
    dspy.configure(callbacks=[mine])
    shell("%dspy_profile heard")
    assert [type(each) for each in dspy.settings.callbacks] == [type(mine), listener]
    shell("%dspy_profile --off")
    assert dspy.settings.callbacks == [mine]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("devv", 'hint: did you mean "dev"?'),
        ("keyless", "NOT_THERE"),
        ("dev --set lm.temperature=hot", "expected a number"),
        ("dev --sett", 'hint: did you mean "--set"?'),
    ],
)
def test_an_error_is_one_line_with_a_hint_and_changes_nothing(
    shell: Any, line: Any, hint: Any
) -> None:
    shell("%dspy_profile prod")
    active = dspy.settings.lm
    said = shell(f"%dspy_profile {line}")
    assert said.kind == "UsageError"
    assert said.err.startswith("UsageError: ")
    assert hint in said.err
    assert "Traceback" not in said.text
    assert dspy.settings.lm is active
    assert "prod  (active)" in shell("%dspy_profile").text


def test_a_typo_is_asked_back(shell: Any) -> None:
    assert 'did you mean "prod"?' in shell("%dspy_profile prid").err
    assert 'did you mean "--list"?' in shell("%dspy_profile --lits").err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dev prod", "takes one name"),
        ("--list dev", "--list takes no other arguments"),
        ("--off dev", "--off takes no other arguments"),
        ("--list --off", "cannot be combined"),
        ("dev --set", "--set"),
        ('""', "the name of the profile is empty"),
        ("dev --set lm", "lm"),
        ("dev --set foo.bar=1", "write --set lm.foo.bar=…, or --set settings.foo.bar=…"),
        ("dev --set lmm.model=x", 'did you mean "lm"'),
        ("dev --set nonsense=1", "nonsense"),
    ],
)
def test_wrong_use_is_an_error(shell: Any, line: Any, said: Any) -> None:
    told = shell(f"%dspy_profile {line}")
    assert told.kind == "UsageError"
    assert said in told.err
    assert shell.lm() is None


def test_names_with_spaces_and_quotes(shell: Any, write: Any) -> None:
    write(
        "profiles.toml",
        "['it''s'.provider]\nclass = 'mock'\n[\"two words\".provider]\nclass = 'mock'\n".replace(
            "'it''s'", '"it\'s"'
        ),
    )
    for typed, name in (
        ('"two words"', "two words"),
        ("'two words'", "two words"),
        ("it's", "it's"),
        ('"it\'s"', "it's"),
    ):
        assert f"{name}  (active)" in shell(f"%dspy_profile {typed}").text


def test_python_values_are_filled_in(shell: Any) -> None:
    shell("which, t = 'dev', {'cold': 0}")
    shell("%dspy_profile {which} --set lm.temperature={t['cold']}")
    assert (shell.lm(), dspy.settings.lm.kwargs["temperature"]) == ("openai/dev", 0)
    shell("for which in ('prod', 'base'):\n    %dspy_profile $which")
    assert shell.lm() == "openai/base"
    shell("def switch(to):\n    %dspy_profile {to}\nswitch('prod')")
    assert shell.lm() == "openai/prod"


def test_a_reference_to_a_secret_is_no_python_value(shell: Any) -> None:
    os.environ["DEV_KEY"] = "the-real-one"
    said = shell("DEV_KEY = 'in clear'\n%dspy_profile dev --show --set lm.api_key=${DEV_KEY}")
    assert said.error is None
    assert "${DEV_KEY}" in said.text
    assert "in clear" not in said.text


def test_a_secret_in_clear_is_masked(shell: Any) -> None:
    said = shell("%dspy_profile dev --set lm.api_key=sk-canary-4711")
    assert "lm.api_key" in said.text
    assert "canary" not in repr(said)
    assert "canary" not in repr(shell("%dspy_profile"))


def test_a_word_out_of_place_is_not_repeated(shell: Any) -> None:
    for line in (
        "dev lm.api_key=sk-canary-4711",
        "dev --set sk-canary-4711",
        "dev --api-key=sk-canary-4711",
    ):
        said = shell(f"%dspy_profile {line}")
        assert said.kind == "UsageError"
        assert "canary" not in repr(said)
    assert shell.lm() is None


def test_an_edited_file_is_seen_at_the_next_use(shell: Any, profiles: Any) -> None:
    shell("%dspy_profile dev")
    profiles.write_text(profiles.read_text().replace("openai/dev", "openai/other"))
    said = shell("%dspy_profile")
    assert "openai/dev" in said.text
    assert "its file has changed since; to apply the changes: %dspy_profile dev" in said.out
    assert shell.lm() == "openai/dev"
    shell("%dspy_profile dev")
    assert shell.lm() == "openai/other"
    assert "changed" not in shell("%dspy_profile").text


def test_a_change_elsewhere_in_the_file_is_no_news(shell: Any, profiles: Any) -> None:
    shell("%dspy_profile dev")
    profiles.write_text(f"# a comment\n{profiles.read_text()}")
    assert "changed" not in shell("%dspy_profile").text


def test_a_file_that_got_broken_keeps_the_profile_and_is_told(shell: Any, profiles: Any) -> None:
    shell("%dspy_profile dev")
    good = profiles.read_text()
    profiles.write_text("[dev\n")
    said = shell("%dspy_profile prod")
    assert said.kind == "UsageError"
    assert "profiles.toml:1" in said.err
    assert shell.lm() == "openai/dev"
    profiles.write_text(good.replace("[dev]", "[gone]").replace("[dev.", "[gone."))
    assert "is now invalid" in shell("%dspy_profile").out


@pytest.mark.filterwarnings("always::dspy_profiles.ProfileWarning")
def test_a_profile_that_cannot_be_read_anew_is_applied_as_it_was_in_one_line(
    shell: Any, profiles: Any
) -> None:
    shell("%dspy_profile dev")
    shell("%dspy_profile prod")
    profiles.write_text("[dev\n")
    said = shell("%dspy_profile dev")
    assert (said.error, shell.lm()) == (None, "openai/dev")
    assert said.err.startswith('dspy: profile "dev" stays as it was, because it cannot be read')
    assert "profiles.toml:1" in said.err
    assert ".py" not in said.err
    assert "is now invalid" in shell("%dspy_profile").out
    profiles.write_text("[[dev\n")
    said = shell("%%dspy_profile dev\n1")
    assert (said.error, said.value) == (None, 1)
    assert said.err.startswith('dspy: profile "dev" stays as it was')
    assert ".py" not in said.err


def test_a_file_that_a_cell_writes_is_seen(new_shell: Any, write: Any) -> None:
    shell = new_shell()
    shell.load()
    write("profiles.toml", '[fresh.provider]\nclass = "mock"\n')
    assert "fresh  (active)" in shell("%dspy_profile fresh").text


def test_a_chdir_changes_nothing(shell: Any, tmp_path: Any) -> None:
    (tmp_path / "profiles.toml").write_text('[elsewhere.provider]\nclass = "mock"\n')
    (tmp_path / ".git").mkdir()
    os.chdir(tmp_path)
    assert "elsewhere" not in shell("%dspy_profile --list").text
    assert "dev  for <b>work</b>  (active)" in shell("%dspy_profile dev").text
    assert shell(
        "%%dspy_profile prod\ndspy = __import__('dspy')\ndspy.settings.lm.model"
    ).value == ("openai/prod")


def test_blocks_and_contexts_win_inside_and_end(shell: Any) -> None:
    shell("%dspy_profile dev")
    shell("import dspy\nfrom dspy_profiles import profile")
    with profile("prod"):
        assert shell.lm() == "openai/prod"
        assert "prod  (active)" in shell("%dspy_profile").text
        assert "prod stays active in this block" in shell("%dspy_profile base").out
        assert shell.lm() == "openai/prod"
    assert shell.lm() == "openai/base"
    with dspy.context(lm=dspy.LM("mine")):
        assert shell.lm() == "mine"


def test_where_a_name_is_forced_it_says_so(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "dev")
    monkeypatch.setenv("DSPY_PROFILE_FORCE", "1")
    said = shell("%dspy_profile prod")
    assert shell.lm() == "openai/dev"
    assert "DSPY_PROFILE_FORCE is set: every name means dev" in said.out


@pytest.mark.parametrize("word", ["off", "list", "show"])
def test_an_option_without_its_dashes_is_asked_back(shell: Any, profiles: Any, word: Any) -> None:
    shell("%dspy_profile dev")
    said = shell(f"%dspy_profile {word}")
    assert said.kind == "UsageError"
    assert f"did you mean %dspy_profile --{word}?" in said.err
    assert shell.lm() == "openai/dev"
    profiles.write_text(f'{profiles.read_text()}\n[{word}]\nextends = "prod"\n')
    assert f"{word}  (active)" in shell(f"%dspy_profile {word}").text


@pytest.mark.parametrize("magic", ["profile", "record", "results", "trace"])
def test_help_has_every_option_with_its_value(shell: Any, magic: Any) -> None:
    tables = shell.ip.magics_manager.magics
    found = tables["line"].get(f"dspy_{magic}") or tables["cell"][f"dspy_{magic}"]
    usage = getattr(parsers, f"{magic}_parser")().format_usage()
    options = re.findall(r"\[(--[^\]]+)\]", usage)
    assert options
    shown = inspect.cleandoc(found.__doc__)
    assert [each for each in options if f"\n{each}  " not in shown] == []


def test_a_magic_in_another_thread_changes_nothing(shell: Any) -> None:
    shell("%dspy_profile dev")
    shell("import threading")
    said = shell(
        "def switch():\n"
        "    try:\n"
        "        get_ipython().run_line_magic('dspy_profile', 'prod')\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error)\n"
        "thread = threading.Thread(target=switch)\n"
        "thread.start()\n"
        "thread.join()"
    )
    assert "UsageError" in said.out
    assert shell.lm() == "openai/dev"
    assert "dev  for <b>work</b>  (active)" in shell("%dspy_profile").text
    shell("%dspy_profile --off")
    assert shell.lm() is None
