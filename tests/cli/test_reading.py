"""`list`, `show`, `get`, `which`, `diff`: for people, for programs, and for hostile files."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

FILE = """
    # for all
    [base.lm]
    model = "openai/gpt-4o-mini"
    temperature = 0.7
    api_key = "${OPENAI_API_KEY}"

    [prod]
    extends = "base"
    description = "paid, slow, good"

    [prod.lm]
    model = "openai/gpt-4o"
    extra_headers = { X-Team = "é" }

    [prod.settings]
    num_threads = 32
"""


@pytest.fixture
def profiles(write: Any) -> Any:
    return write("profiles.toml", FILE)


@pytest.fixture
def leaky(write: Any, canary: str) -> Any:
    """A file with secrets in clear, in every place that one can be in."""
    return write(
        "profiles.toml",
        f"""
        [leaky.lm] # about it
        model = "openai/x"
        api_key = "{canary}-1"
        extra_headers = {{ Authorization = "Bearer {canary}-2", X = "seen" }}
        # token = "{canary}-3"
        list = [{{ token = "{canary}-4" }}]
        password = '''
        {canary}-5'''

        [other]
        lm.model = "openai/y"

        [[leaky.lm.array]]
        secret = "{canary}-6"
        """,
    )


def test_list_shows_each_profile_and_why_one_applies(cli: Any, profiles: Any, write: Any) -> None:
    write("pyproject.toml", "[tool.dspy-profiles]\ndefault = 'prod'\n")
    done = cli("list")
    assert (done.code, done.err) == (0, "")
    assert done.lines[:4] == [
        ["PROFILE", "MODEL", "EXTENDS", "FROM"],
        ["base", "openai/gpt-4o-mini", "profiles.toml"],
        [
            "* prod",
            "openai/gpt-4o",
            "base",
            "profiles.toml",
            "from the setting default, pyproject.toml:2",
        ],
        ["mock", "built in, offline"],
    ]


def test_list_for_programs(cli: Any, profiles: Any) -> None:
    payload = cli("list", "--json", env={"DSPY_PROFILE": "prod"}).json
    assert payload["profiles"][1] == {
        "name": "prod",
        "model": "openai/gpt-4o",
        "provider": None,
        "description": "paid, slow, good",
        "extends": ["base"],
        "layer": "project",
        "file": str(profiles),
        "line": 7,
        "active": True,
        "reason": "from DSPY_PROFILE",
        "plaintext": False,
        "trusted": True,
        "error": None,
    }
    mock = payload["profiles"][2]
    assert (mock["name"], mock["provider"], mock["file"]) == ("mock", "mock", None)


def test_list_goes_on_where_one_profile_is_unsound(cli: Any, write: Any) -> None:
    write("profiles.toml", "[good.lm]\nmodel = 'a/b'\n[bad]\nextends = 'gone'\n[worse]\nx = 1\n")
    done = cli("list")
    assert done.code == 0
    assert ["good", "a/b", "profiles.toml"] in done.lines
    assert ["bad", "invalid", "profiles.toml"] in done.lines
    assert 'bad: profile "bad" extends "gone", which does not exist' in done.err
    assert 'unknown section "x"' in done.err


def test_list_says_that_a_named_file_is_not_there(cli: Any) -> None:
    done = cli("list", "--file", "gone.toml")
    assert (done.code, done.err) == (0, "gone.toml does not exist\n")


def test_show_tells_value_and_origin(cli: Any, profiles: Any) -> None:
    done = cli("show", "prod", env={"OPENAI_API_KEY": "x-canary"})
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == [
        "prod",
        "paid, slow, good",
        "active: no",
        "(dspy-profiles use prod)",
    ]
    assert ["lm.model", "openai/gpt-4o", "profiles.toml:12"] in done.lines
    assert ["lm.temperature", "0.7", "profiles.toml:4", "from base"] in done.lines
    assert [
        "lm.api_key",
        "${OPENAI_API_KEY}",
        "profiles.toml:5",
        "from base · set in the environment",
    ] in done.lines
    assert "lm.extra_headers.X-Team   é" in done.out


def test_show_says_what_is_set_where(cli: Any, profiles: Any, write: Any) -> None:
    assert "OPENAI_API_KEY is not set" in cli("show", "prod").out
    write(".env", "OPENAI_API_KEY=x-canary\n")
    assert "set in .env" in cli("show", "prod").out
    write("more.toml", '[p.lm]\nmodel = "${M}/${N}"\napi_base = "${A:-x}${B:-y}"\n')
    shown = cli("show", "p", "--file", "more.toml").out
    assert "M, N are not set\n" in shown
    assert "A, B are not set: fallback used" in shown


def test_show_for_programs(cli: Any, profiles: Any) -> None:
    payload = cli("show", "prod", "--json").json
    values = {each.pop("key"): each for each in payload.pop("values")}
    assert payload == {
        "name": "prod",
        "description": "paid, slow, good",
        "extends": ["base"],
        "files": [str(profiles)],
        "active": False,
        "reason": None,
    }
    assert values["lm.api_key"] == {
        "value": "${OPENAI_API_KEY}",
        "secret": True,
        "origin": {"file": str(profiles), "line": 5, "layer": "project", "profile": "base"},
    }
    assert values["settings.num_threads"]["value"] == 32


def test_show_raw_prints_the_profiles_own_lines(cli: Any, profiles: Any) -> None:
    own = "".join(profiles.read_text().partition("[prod]\n")[1:])
    assert cli("show", "prod", "--raw").out == own
    assert cli("show", "base", "--raw").out.startswith('# for all\n[base.lm]\nmodel = "openai/')
    assert cli("show", "prod", "--raw", "--json").json == {
        "name": "prod",
        "file": str(profiles),
        "text": own.rstrip("\n"),
    }
    done = cli("show", "mock", "--raw")
    assert (done.code, done.out) == (4, "")


def test_show_raw_masks_secrets_also_in_comments(cli: Any, leaky: Any) -> None:
    assert (
        cli("show", "leaky", "--raw").out
        == """\
[leaky.lm] # about it
model = "openai/x"
api_key = "********"
extra_headers = { Authorization = "********", X = "seen" }
# token = "********"
list = "********"
password = "********"

[[leaky.lm.array]]
secret = "********"
"""
    )


def test_reading_works_on_a_file_with_secrets_in_clear_and_marks_them(cli: Any, leaky: Any) -> None:
    done = cli("list")
    assert ["leaky", "openai/x", "profiles.toml", "plaintext secret"] in done.lines
    assert cli("list", "--json").json["profiles"][0]["plaintext"] is True
    shown = cli("show", "leaky")
    assert shown.out.count("plaintext secret: dspy-profiles secrets move") >= 3
    assert cli("get", "leaky", "lm.api_key").out == "********\n"
    assert cli("get", "leaky", "lm.list", "--json").json["value"] == [{"token": "********"}]
    assert cli("diff", "leaky", "other").code == 0
    for command in ("show", "get", "diff"):
        words = {"show": ["leaky"], "get": ["leaky", "lm"], "diff": ["leaky", "other"]}[command]
        assert cli(command, *words, "--json").code == 0


def test_get_prints_the_value_and_nothing_else(cli: Any, write: Any) -> None:
    path = write(
        "profiles.toml",
        """
        [p.lm]
        text = "a\\r\\nb\\tü"
        number = 1e22
        no = false
        list = [1, "x"]
        inf = inf
        day = 2020-01-02
        ["p".settings."a b"]
        c = {}
        """,
    )
    assert cli("get", "p", "lm.text").out == "a\nb\tü\n"  # as text mode reads it
    assert cli("get", "p", "lm.no").out == "false\n"
    assert cli("get", "p", "lm.list").out == '[1, "x"]\n'
    assert cli("get", "p", 'settings."a b".c').out == "{}\n"
    payload = cli("get", "p", "lm", "--json").json
    assert payload["value"]["inf"] == "inf"
    assert payload["value"]["day"] == "2020-01-02"
    assert payload["origin"] is None
    assert cli("get", "p", "lm.number", "--json").json == {
        "profile": "p",
        "key": "lm.number",
        "value": 1e22,
        "origin": {"file": str(path), "line": 3, "layer": "project", "profile": "p"},
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "prod", "lm.modle"], 3, 'did you mean "lm.model"?'),
        (["get", "prod", "lm.model.x"], 3, "does not set lm.model.x"),
        (["get", "prod", "="], 4, "is not a key"),
        (["get", "prdo", "lm"], 3, 'did you mean "prod"?'),
        (["get", "prod"], 2, "Missing argument"),
        (["show", "nope"], 3, "Profiles: base, prod, mock"),
        (["show"], 3, "no profile named and no default"),
        (["diff", "prod", "nope"], 3, 'profile "nope" not found'),
        (["diff", "prod"], 2, "Missing argument"),
        (["list", "--file", "."], 4, "is a folder"),
        (["nonsense"], 2, "unknown command"),
        (["list", "--nonsense"], 2, "No such option"),
    ],
)
def test_what_is_not_there_is_said_with_its_code(
    cli: Any, profiles: Any, words: Any, code: Any, said: Any
) -> None:
    done = cli(*words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "Traceback" not in done.err


def test_which_tells_the_name_the_reason_and_every_file(
    cli: Any, profiles: Any, home: Path, write: Any
) -> None:
    write(home / ".dspy/profiles.toml", "[default]\n")
    done = cli("which")
    assert done.lines[0] == ["default", 'the profile called "default"']
    assert ["project", "profiles.toml"] in done.lines
    assert ["user", "~/.dspy/profiles.toml"] in done.lines
    assert ["config", "~/.dspy/config.toml", "not found"] in done.lines
    payload = cli("which", "--json").json
    assert {k: payload[k] for k in ("profile", "exists", "root")} == {
        "profile": "default",
        "exists": True,
        "root": str(profiles.parent),
    }
    own = {"kind": "project", "path": str(profiles), "exists": True, "trusted": True}
    assert own in payload["files"]


def test_which_ends_with_3_where_the_name_leads_nowhere(cli: Any, profiles: Any) -> None:
    for words in (["which"], ["which", "--json"]):
        done = cli(*words, env={"DSPY_PROFILE": "prd"})
        assert done.code == 3
        assert 'did you mean "prod"' in done.err
        assert "prd" in done.out
    assert cli("which").lines[0] == ["no active profile"]


def test_diff_shows_what_differs_side_by_side(cli: Any, profiles: Any) -> None:
    done = cli("diff", "base", "prod")
    assert (done.code, done.err) == (0, "")
    assert done.lines[:2] == [["base", "prod"], ["lm.model", "openai/gpt-4o-mini", "openai/gpt-4o"]]
    assert cli("diff", "base", "prod", "--exit-code").code == 1
    same = cli("diff", "base", "base", "--exit-code")
    assert (same.code, same.out) == (0, "")
    payload = cli("diff", "prod", "base", "--json").json
    assert payload["profiles"] == ["prod", "base"]
    assert {"key": "settings.num_threads", "values": [32, None], "set": [True, False]} in payload[
        "differences"
    ]


def test_diff_tells_numbers_and_booleans_apart(cli: Any, write: Any) -> None:
    write("profiles.toml", "[a.lm]\nx = 1\ny = [0]\n[b.lm]\nx = true\ny = [false]\n")
    assert cli("diff", "a", "b").lines[1:3] == [["lm.x", "1", "true"], ["lm.y", "[0]", "[false]"]]


def test_what_a_file_says_never_steers_the_terminal(terminal: Any, write: Any) -> None:
    write(
        "profiles.toml",
        '["p\\u001b[2J".lm]\nmodel = "a\\u001b]0;x\\u0007b\\u202e"\napi_base = "\\u009b31m"\n',
    )
    for words in (["list"], ["show", "p\x1b[2J"], ["get", "p\x1b[2J", "lm.model"]):
        screen = terminal(*words, "--no-color")
        assert screen.end() == 0
        assert "p␛[2J" in screen.seen or "a␛]0" in screen.seen
        seen = re.sub(r"\x1b\[[0-9;]*m", "", screen.seen)  # bold, which is ours
        assert not set("\x1b\x07\x9b\u202e") & set(seen)


def test_colours_are_for_terminals_alone_and_can_be_turned_off(
    cli: Any, terminal: Any, profiles: Any
) -> None:
    assert "\x1b" not in cli("list").out
    for more, env, has_colour in [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
    ]:
        screen = terminal("diff", "base", "prod", *more, **env)
        assert screen.end() == 0
        assert ("\x1b" in screen.seen) is has_colour, screen.seen  # bold is one, too


def test_a_narrow_terminal_loses_no_text(cli: Any, profiles: Any) -> None:
    done = cli("show", "prod", env={"COLUMNS": "40"})
    assert done.code == 0
    assert max(map(len, done.out.splitlines()[2:])) <= 40
    assert "…" not in done.out
    text = re.sub(r"\s", "", done.out)
    assert "openai" in text
    assert cli("list", env={"COLUMNS": "40"}).code == 0


def test_a_reader_that_goes_away_is_no_error(profiles: Any) -> None:
    code = f"{sys.executable} -m dspy_profiles list --json | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{\n")
    assert done.stderr == ""


@pytest.mark.parametrize("words", [["list"], ["show", "prod"], ["show", "prod", "--json"]])
def test_an_output_that_knows_few_letters_is_no_error(cli: Any, profiles: Any, words: Any) -> None:
    done = cli(*words, env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")
    done = cli("show", "nöpe", env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 3


def test_reading_creates_nothing(cli: Any, project: Path, home: Path) -> None:
    for words in (["list"], ["which"], ["config", "list"], ["secrets", "check"], ["schema"]):
        assert cli(*words).code == 0
    assert [path.name for path in project.iterdir()] == [".git"]
    left = [path.relative_to(home).parts[0] for path in home.rglob("*") if path.is_file()]
    assert set(left) <= {".cache"}, left


AS_NOBODY = """
import os, sys
import dspy_profiles.cli.profiles.show, dspy_profiles.cli.config, dotenv
from dspy_profiles.cli import app
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
app(sys.argv[1:], prog_name="dspy-profiles")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("words", [["which"], ["list"], ["which", "--json"]])
def test_a_home_that_may_not_be_looked_into_has_no_say(cli: Any, home: Path, words: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "profiles.toml").write_text("[p]\n")
        (Path(folder) / "profiles.toml").chmod(0o644)
        closed = Path(folder) / "closed"
        (closed / ".dspy").mkdir(parents=True)
        closed.chmod(0o700)
        under = (sys.executable, "-c", AS_NOBODY)
        done = cli(*words, under=under, cwd=folder, env={"HOME": str(closed)})
        assert (done.code, done.err) == (0, "")


def test_paths_keep_their_slash_where_one_stands_at_the_root(cli: Any) -> None:
    assert "/.env" in [words[1] for words in cli("which", cwd="/").lines if len(words) > 1]
