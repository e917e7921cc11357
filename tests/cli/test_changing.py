"""`set`, `unset`, `copy`, `rename`, `delete`, `use`: they change what was said, or nothing."""

import tomllib
from typing import Any

import pytest

FILE = """\
# for all
[base.lm] # the base
model = "openai/gpt-4o-mini"   # small
temperature = 0.7

[prod]
extends = "base"

[prod.lm]
# the big one
model = 'openai/gpt-4o'
"""


@pytest.fixture
def profiles(write: Any) -> Any:
    return write("profiles.toml", FILE)


def test_set_changes_one_value_and_prints_the_change_alone(cli: Any, profiles: Any) -> None:
    done = cli("set", "prod", "lm.temperature", "0.2")
    assert (done.code, done.err) == (0, "")
    assert done.lines == [["prod", "lm.temperature", "0.2", "profiles.toml:12"], []]
    assert profiles.read_text() == FILE + "temperature = 0.2\n"
    done = cli("set", "--profile", "prod", "lm.temperature=0.3", "settings.num_threads=4")
    assert done.code == 0
    assert "0.2 → 0.3" in done.out
    assert profiles.read_text() == (
        FILE + "temperature = 0.3\n\n[prod.settings]\nnum_threads = 4\n"
    )


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("0.7", "0.7"),
        ("7", "7"),
        ("true", "true"),
        ('[1, "a"]', '[1, "a"]'),
        ('{"a": {"b": 1}}', "{a = {b = 1}}"),
        ("text", '"text"'),
        ('"0.7"', '"0.7"'),
        ("a=b", '"a=b"'),
        ("-1", "-1"),
        ("", '""'),
        ("NaN", '"NaN"'),
    ],
)
def test_values_are_typed(cli: Any, write: Any, word: Any, written: Any) -> None:
    path = write("profiles.toml", '[p.provider]\nclass = "acme"\n')
    done = cli("set", "p", "provider.x", word)
    assert done.code == 0, done.err
    assert path.read_text() == f'[p.provider]\nclass = "acme"\nx = {written}\n'


def test_what_is_always_text_stays_text(cli: Any, project: Any) -> None:
    assert cli("set", "p", "env.X=1", "env.Y=true", "description=7", "--project").code == 0
    text = (project / "profiles.toml").read_text()
    assert 'X = "1"\nY = "true"' in text
    assert 'description = "7"' in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["prod", "lm.temprature", "0.2"], 4, 'did you mean "temperature"?   --force'),
        (["prod", "lm.temperature", "hot"], 4, 'expected a number, got the string "hot"'),
        (["prod", "settings.num_threds", "4"], 4, 'did you mean "num_threads"?'),
        (["prod", "lmm.model", "x"], 4, 'did you mean "lm"?'),
        (["prod", "lm", "x"], 4, "must be a table"),
        (["prod", "lm.model.x", "1"], 4, "unset prod.lm.model first"),
        (["prod", "extends", "gone"], 4, "does not exist"),
        (["base", "extends", "prod"], 4, "in a circle"),
        (["prod", "lm.x", "null"], 4, "TOML has no null"),
        (["prod", "lm.model", ""], 4, "lm.model: is empty"),
        (["prod", 'lms.big={"model": ""}'], 4, "lms.big.model: is empty"),
        (["prod", "provider.x", "1"], 4, "set prod provider.class=mock provider.x=…"),
        (["new", "provider.x=1", "provider.y=1"], 4, "import path (pkg.mod.Class) or a short name"),
        (["prod", "a b", "1"], 4, "is not a key"),
        (["prod", "lm.model"], 4, '"lm.model" is not KEY=VALUE'),
        (["prod"], 2, "set PROFILE KEY VALUE"),
        (["--profile", "prod"], 2, "Missing argument"),
        (["prod", "lm.seed", "--forse"], 2, "unknown option --forse"),
        (["prod", "lm.seed=1", "-x"], 2, "unknown option -x"),
        (["", "lm.model", "x"], 4, "is not a valid profile name"),
        (["$schema", "lm.model", "x"], 4, "is not a valid profile name"),
        (["a\nb", "lm.model", "x"], 4, "is not a valid profile name"),
        (["prod", "lm.model", "x", "--user", "--project"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    cli: Any, profiles: Any, words: Any, code: Any, said: Any
) -> None:
    done = cli("set", *words)
    assert done.code == code, done.err
    assert said.split("   ")[0] in done.err
    assert (done.out, profiles.read_text()) == ("", FILE)


def test_force_writes_a_near_miss_and_an_unknown_key_is_only_warned_of(
    cli: Any, profiles: Any
) -> None:
    done = cli("set", "prod", "lm.temprature", "0.2", "--force")
    assert done.code == 0
    assert "warning:" in done.err
    done = cli("set", "prod", "lm.zzzzzzzz", "1")
    assert done.code == 0
    assert "warning:" in done.err
    assert profiles.read_text() == FILE + "temprature = 0.2\nzzzzzzzz = 1\n"


def test_the_built_in_profile_stays_offline_whatever_is_set_first(quick: Any, write: Any) -> None:
    path = write("profiles.toml", "")
    assert quick("set", "mock", "lm.model", "openai/gpt-4o").code == 0
    assert tomllib.loads(path.read_text())["mock"] == {
        "provider": {"class": "mock"},
        "lm": {"model": "openai/gpt-4o"},
    }


def test_the_built_in_provider_gets_its_class_with_its_first_key(
    quick: Any, write: Any, home: Any, project: Any
) -> None:
    done = quick("set", "mock", "provider.latency", "0.1")
    assert (done.code, done.err) == (0, "")
    assert [row[:3] for row in done.lines] == [
        ["mock", "provider.class", "mock"],
        ["mock", "provider.latency", "0.1"],
        [],
    ]
    user = home / ".dspy/profiles.toml"
    assert user.read_text() == '[mock.provider]\nclass = "mock"\nlatency = 0.1\n'
    assert quick("set", "mock", "provider.latency", "0.2").code == 0
    assert user.read_text() == '[mock.provider]\nclass = "mock"\nlatency = 0.2\n'

    path = write("profiles.toml", '[m.provider]\nclass = "a.B"\n[mock]\nextends = "m"\n')
    assert quick("set", "mock", "provider.x", "1").code == 0  # it has one, if not of its own
    assert path.read_text().endswith('[mock]\nextends = "m"\n\n[mock.provider]\nx = 1\n')

    path.write_text("[other]\n")
    user.write_text('[mock.provider]\nclass = "a.B"\n')
    assert quick("set", "mock", "provider.x", "1", "--project").code == 4  # which would it be?


def test_a_provider_that_is_extended_takes_further_keys(quick: Any, write: Any) -> None:
    text = '[base.provider]\nclass = "mock"\n[p]\nextends = "base"\n'
    path = write("profiles.toml", text)
    assert quick("set", "p", "provider.latency", "0.1").code == 0
    assert path.read_text() == text + "\n[p.provider]\nlatency = 0.1\n"
    assert quick("set", "q", "provider.class=mock", "provider.latency=0.1").code == 0
    done = quick("set", "r", "provider.latency=0.1", "lm.model=", "--force")
    assert (done.code, done.err.count("warning:")) == (0, 2)
    assert quick("set", "r", "provider.class", "mock").code == 0


@pytest.mark.parametrize("more", [[], ["--force"], ["--debug"]])
@pytest.mark.parametrize(
    "key", ["lm.api_key", "lm.extra_headers.Authorization", "rm.token", "env.MY_PASSWORD"]
)
def test_a_secret_is_never_written(
    cli: Any, profiles: Any, canary: str, key: Any, more: Any
) -> None:
    done = cli("set", "prod", key, canary, *more)
    assert done.code == 5 or more == ["--debug"]
    assert "is a plaintext secret" in done.err
    assert profiles.read_text() == FILE


def test_a_secret_in_the_wrong_place_is_not_repeated(cli: Any, profiles: Any, canary: str) -> None:
    assert cli("set", "--profile", "prod", "lm.model=x", canary).code == 4
    assert cli("set", "prod", "lm.api_key", canary, "x").code == 4
    assert cli("set", "prod", f'lm={{"api_key": "{canary}"}}').code == 5
    assert cli("set", "prod", "lm.api_key", f"${{X:-{canary}}}").code == 5
    assert profiles.read_text() == FILE


def test_a_plain_word_in_the_place_of_a_secret_masks_no_word_of_ours(
    quick: Any, profiles: Any
) -> None:
    for value in ("file", "secrets", "in", "profiles"):
        done = quick("set", "prod", "lm.api_key", value)
        assert (done.code, done.out) == (5, "")
        assert "********" not in done.err
        assert "put it in .env, then set lm.api_key=" in done.err


def test_a_reference_is_written(cli: Any, profiles: Any) -> None:
    assert cli("set", "prod", "lm.api_key", "${OPENAI_API_KEY}").code == 0
    assert profiles.read_text() == FILE + 'api_key = "${OPENAI_API_KEY}"\n'


def test_a_new_profile_goes_to_the_project_if_it_has_a_file(
    cli: Any, project: Any, home: Any, profiles: Any
) -> None:
    user = home / ".dspy/profiles.toml"
    assert cli("set", "new", "lm.model", "a/b").code == 0
    assert "[new.lm]" in profiles.read_text()
    assert cli("set", "mine", "lm.model", "a/b", "--user").code == 0
    assert user.read_text() == '[mine.lm]\nmodel = "a/b"\n'
    assert user.stat().st_mode & 0o777 == 0o600
    assert cli("set", "mine", "lm.temperature", "1").code == 0  # where it is defined
    assert "temperature = 1" in user.read_text()
    profiles.unlink()
    assert cli("set", "mine2", "lm.model", "a/b").code == 0
    assert "[mine2.lm]" in user.read_text()
    assert cli("set", "p", "lm.model", "a/b", "--project").code == 0
    assert profiles.read_text() == '[p.lm]\nmodel = "a/b"\n'
    assert cli("set", "p", "lm.model", "c/d", "--file", "x/y.toml").code == 0
    assert (project / "x/y.toml").read_text() == '[p.lm]\nmodel = "c/d"\n'


def test_a_profile_that_is_unsound_can_be_mended_key_by_key(
    cli: Any, write: Any, canary: str
) -> None:
    path = write(
        "profiles.toml", f'[p]\nextends = "gone"\nlmm.x = 1\n[p.lm]\nmodel = "a/b"\n'
        f'api_key = "{canary}"\ntemprature = 1\n'
    )  # fmt: skip
    assert cli("unset", "p", "lmm").code == 0
    assert cli("unset", "p", "extends").code == 0
    assert cli("set", "p", "lm.temperature", "1").code == 0  # the secret was there before
    assert cli("set", "p", "lm.api_key", "x-canary").code == 5
    assert cli("set", "p", "lm.api_key", "${KEY}").code == 0
    assert cli("unset", "p", "lm.temprature").code == 0
    text = '[p]\n[p.lm]\nmodel = "a/b"\napi_key = "${KEY}"\ntemperature = 1\n'
    assert path.read_text().replace("\n\n", "\n") == text


def test_unset_removes_what_it_says(cli: Any, profiles: Any) -> None:
    done = cli("unset", "base", "lm.temperature")
    assert (done.code, done.err) == (0, "")
    assert "temperature" not in profiles.read_text()
    done = cli("unset", "prod", "lm.temperature")
    assert done.code == 3
    assert "dspy-profiles show prod" in done.err
    assert cli("unset", "nope", "lm").code == 3
    assert cli("unset", "prod").code == 2
    done = cli("unset", "prod", "extends", "lm.model", "lm.model")
    assert done.code == 0
    assert "lm.model: is missing" in done.err


def test_copy_takes_the_comments_along(cli: Any, profiles: Any) -> None:
    assert cli("copy", "prod", "staging").code == 0
    text = profiles.read_text()
    assert text.startswith(FILE.rstrip("\n"))
    assert '[staging]\nextends = "base"' in text
    assert "[staging.lm]\n# the big one\n" in text
    for words, code in [
        (["prod", "base"], 4),
        (["nope", "x"], 3),
        (["mock", "x"], 4),
        (["prod", ""], 4),
    ]:
        assert cli("copy", *words).code == code
    assert profiles.read_text() == text


def test_copy_to_another_file_keeps_the_meaning(
    cli: Any, write: Any, project: Any, home: Any, canary: str
) -> None:
    user = write(home / ".dspy/profiles.toml", '[own.lm]\nmodel = "a/b"\napi_key = "file:key"\n')
    write(home / ".dspy/key", canary)
    assert cli("copy", "own", "theirs", "--project").code == 0
    text = (project / "profiles.toml").read_text()
    assert f'api_key = "file:{user.parent}/key"' in text
    assert cli("secrets", "check", "theirs").code == 0


def test_copy_to_another_file_takes_the_comments_along(
    cli: Any, write: Any, project: Any, home: Any
) -> None:
    text = """\
# ours
['own'] # mine
extends = 'base'   # in single quotes

# the big one
[own.lm]
model = "a/b"   # slow
# api_key = "sk-canary" or "${KEY}"
stop = [
  'x',   # one
]
api_key = "file:key"
"""
    write(home / ".dspy/profiles.toml", f"[base]\n\n{text}\n[other]\n")
    before = "[prod]\r\n"
    write("profiles.toml", before)
    assert cli("copy", "own", "their own", "--project").code == 0
    masked = text.replace('"sk-canary"', '"********"')
    expected = masked.replace("'own'", "'their own'").replace("[own.", '["their own".')
    expected = expected.replace("file:key", f"file:{home}/.dspy/key").replace("\n", "\r\n")
    assert (project / "profiles.toml").read_bytes().decode() == f"{before}\r\n{expected}"


def test_a_copy_spreads_no_secret(cli: Any, write: Any, canary: str) -> None:
    path = write("profiles.toml", f'[p.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
    before = path.read_text()
    assert cli("copy", "p", "q").code == 5
    assert cli("copy", "p", "q", "--user").code == 5
    assert path.read_text() == before
    assert cli("rename", "p", "q").code == 0  # which spreads nothing
    assert path.read_text() == before.replace("[p.lm]", "[q.lm]")


def test_rename_mends_extends_in_every_file(cli: Any, write: Any, home: Any, profiles: Any) -> None:
    user = write(home / ".dspy/profiles.toml", '[u]\nextends = ["base", "prod"] # two\n')
    done = cli("rename", "base", "root")
    assert (done.code, done.err) == (0, "")
    assert profiles.read_text() == FILE.replace("[base.lm]", "[root.lm]").replace(
        '"base"', '"root"'
    )
    assert user.read_text() == '[u]\nextends = ["root", "prod"] # two\n'
    assert "prod now extends" in done.out
    assert "u now extends" in done.out


def test_rename_leaves_the_lists_that_name_the_profile_as_they_are_written(
    cli: Any, write: Any
) -> None:
    text = """\
[base.lm]
model = 'a/b'

[q]
extends = [
  'base',   # the base
  "x",
]

[r]
extends = 'base'

[s]
extends = ["base", 'x']

[x]
"""
    path = write("profiles.toml", text)
    assert cli("rename", "base", "common").code == 0
    renamed = text.replace("[base", "[common").replace("'base'", "'common'")
    assert path.read_text() == renamed.replace('"base"', '"common"')
    assert cli("set", "common", "lm.model", "c/d").code == 0
    assert "model = 'c/d'\n" in path.read_text()


def test_a_rename_that_is_refused_changes_no_file(
    cli: Any, write: Any, home: Any, profiles: Any
) -> None:
    text = '[u]\nextends = "base"\n'
    user = write(home / ".dspy/profiles.toml", text)
    for new, code in [("prod", 4), ("base", 4), ("", 4), ("$schema", 4)]:
        done = cli("rename", "base", new)
        assert (done.code, done.out) == (code, "")
        assert (profiles.read_text(), user.read_text()) == (FILE, text)
    assert cli("rename", "nope", "x").code == 3
    assert cli("rename", "mock", "x").code == 4


def test_a_rename_leaves_those_who_extend_the_layer_below(cli: Any, write: Any, home: Any) -> None:
    user = write(home / ".dspy/profiles.toml", '[p.lm]\nmodel = "a/b"\n[q]\nextends = "p"\n')
    path = write("profiles.toml", '[p]\nextends = "p"\n')
    before = user.read_text()
    assert cli("rename", "p", "mine").code == 0
    assert path.read_text() == '[mine]\nextends = "p"\n'
    assert user.read_text() == before
    assert cli("get", "mine", "lm.model").out == "a/b\n"


def test_rename_and_delete_tell_of_a_default_that_leads_nowhere_now(
    cli: Any, write: Any, profiles: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "prod"\n')
    assert "use big" in cli("rename", "prod", "big").err
    assert cli("use", "big").code == 0
    assert "the default is still big" in cli("delete", "big", "--yes").err


def test_delete_asks(cli: Any, terminal: Any, profiles: Any) -> None:
    done = cli("delete", "prod")
    assert (done.code, "--yes" in done.err) == (2, True)
    screen = terminal("delete", "prod").until("profiles.toml? [y/N]").type("n")
    assert screen.end() == 1
    screen = terminal("delete", "prod").until("[y/N]").interrupt()
    assert screen.end() == 130
    assert profiles.read_text() == FILE
    screen = terminal("delete", "prod").until("[y/N]").type("y")
    assert screen.end() == 0
    assert profiles.read_text() == FILE.partition("\n[prod]")[0]


def test_delete_is_refused_while_others_extend(cli: Any, profiles: Any) -> None:
    done = cli("delete", "base", "--yes")
    assert (done.code, done.out) == (1, "")
    assert done.err == '"base" is not deleted: prod (profiles.toml) extends it\n'
    assert profiles.read_text() == FILE
    assert cli("delete", "mock", "--yes").code == 4
    assert cli("delete", "nope", "--yes").code == 3


def test_a_hint_names_an_odd_profile_as_a_shell_takes_it(quick: Any, write: Any) -> None:
    write("profiles.toml", '["an odd one"]\n')
    assert "dspy-profiles show 'an odd one'" in quick("unset", "an odd one", "lm.x").err
    assert quick("use", "an odd one").code == 0
    assert "dspy-profiles use 'so odd'" in quick("rename", "an odd one", "so odd").err


def test_use_says_where_the_default_is_written(
    cli: Any, write: Any, project: Any, home: Any, profiles: Any
) -> None:
    done = cli("use", "prod")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == ["prod is your default", "~/.dspy/config.toml"]
    write("pyproject.toml", "[project]\nname = 'x' # mine\n")
    assert cli("use", "base").lines[0] == ["base is the default of this project", "pyproject.toml"]
    assert (project / "pyproject.toml").read_text() == (
        "[project]\nname = 'x' # mine\n\n[tool.dspy-profiles]\ndefault = \"base\"\n"
    )
    done = cli("use", "mock", "--user")
    assert (home / ".dspy/config.toml").read_text() == 'default = "mock"\n'
    assert "the active profile is still base" in done.err
    assert "from DSPY_PROFILE" in cli("use", "prod", env={"DSPY_PROFILE": "base"}).err
    assert cli("use", "nope").code == 3


def test_line_ends_and_byte_order_marks_stay(cli: Any, project: Any) -> None:
    path = project / "profiles.toml"
    path.write_bytes(b'\xef\xbb\xbf[p.lm]\r\nmodel = "a/b"\r\n')
    assert cli("set", "p", "lm.temperature", "1").code == 0
    assert path.read_bytes() == b'\xef\xbb\xbf[p.lm]\r\nmodel = "a/b"\r\ntemperature = 1\r\n'
