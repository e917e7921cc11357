"""`secrets list`, `check`, `move`: references and what they lead to, and never a value."""

import hashlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

FILE = """\
[base.lm]
model = "openai/gpt-4o"
api_key = "${{OPENAI_API_KEY}}"

[prod]
extends = "base"

[prod.lm.extra_headers]
Authorization = "Bearer ${{TOKEN}}"
X-Team = "${{TEAM:-nobody}}"

[prod.rm]
url = "http://x"
token = "file:{file}"

[vault.rm]
url = "http://x"
token = "keyring:service/user"
password = "env:DIRECT"

[offline]
extends = "base"
provider.class = "mock"

[own]
lm = {{ model = "a/b", api_key = "${{FROM_PROFILE}}" }}
env.FROM_PROFILE = "${{TOKEN}}"
"""

LEAKY = """\
# mine
[prod.lm] # big
model = "openai/gpt-4o"
api_key = "{0}-1"   # soon gone
extra_headers = {{ Authorization = "Bearer {0}-2", X = 1 }}

[dev.lm]
model = "openai/gpt-4o-mini"
api_key = '{0}-3'

[dev.rm]
url = "http://x"
tokens = [{{ token = "{0}-4" }}, {{ token = "${{GOOD}}" }}, {{ token = "{0}-1" }}]
password = '''{0} "q" 'p' \\ # é'''
"""


@pytest.fixture
def profiles(write: Any, canary: str) -> Any:
    write("key.txt", f"{canary}\n")
    return write("profiles.toml", FILE.format(file="key.txt"))


@pytest.fixture
def leaky(write: Any, canary: str) -> Any:
    return write("profiles.toml", LEAKY.format(canary))


def no_keyring(env: Any = None) -> Any:
    return {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", **(env or {})}


def by_key(payload: Any) -> Any:
    return {f"{one['profile']} {one['key']}": one for one in payload["references"]}


def test_list_tells_each_reference_and_where_it_is_written(
    cli: Any, profiles: Any, canary: str
) -> None:
    env = {"OPENAI_API_KEY": canary}
    done = cli("secrets", "list", env=env)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == ["PROFILE", "KEY", "REFERENCE", "FROM"]
    assert ["base", "lm.api_key", "${OPENAI_API_KEY}", "profiles.toml:3"] in done.lines
    assert ["prod", "lm.api_key", "${OPENAI_API_KEY}", "profiles.toml:3", "from base"] in done.lines
    assert ["prod", "rm.token", "file:key.txt", "profiles.toml:14"] in done.lines
    payload = cli("secrets", "list", "base", "--json", env=env).json
    assert payload == {
        "references": [
            {
                "profile": "base",
                "key": "lm.api_key",
                "reference": "${OPENAI_API_KEY}",
                "secret": True,
                "status": "not followed",
                "source": None,
                "message": None,
                "hint": None,
                "origin": {"file": str(profiles), "line": 3, "layer": "project", "profile": "base"},
            }
        ],
        "errors": [],
    }
    assert cli("secrets", "list", "nope").code == 3


def test_check_tells_where_each_is_found(cli: Any, profiles: Any, write: Any, canary: str) -> None:
    write(".env", f"TOKEN={canary}\n")
    env = no_keyring({"OPENAI_API_KEY": canary, "DIRECT": canary})
    done = cli("secrets", "check", "prod", "offline", "own", env=env)
    assert (done.code, done.err) == (0, "")
    payload = cli("secrets", "check", "prod", "offline", "own", "--json", env=env).json
    assert payload["ok"] is True
    found = {key: (one["status"], one["source"]) for key, one in by_key(payload).items()}
    assert found == {
        "prod lm.api_key": ("ok", "environment"),
        "prod lm.extra_headers.Authorization": ("ok", str(profiles.parent / ".env")),
        "prod lm.extra_headers.X-Team": ("ok", "fallback"),
        "prod rm.token": ("ok", "file"),
        "offline lm.api_key": ("unused", None),
        "own lm.api_key": ("ok", "profile's own env"),
        "own env.FROM_PROFILE": ("ok", str(profiles.parent / ".env")),
    }


def test_check_names_all_that_is_missing_and_ends_with_5(
    cli: Any, profiles: Any, project: Any
) -> None:
    (project / "key.txt").unlink()
    done = cli("secrets", "check", env=no_keyring({"OPENAI_API_KEY": ""}))
    assert done.code == 5
    payload = cli("secrets", "check", "--json", env=no_keyring({"OPENAI_API_KEY": ""})).payload
    assert payload["ok"] is False
    found = {k: one["message"] for k, one in by_key(payload).items() if one["status"] == "missing"}
    assert found == {
        "base lm.api_key": "OPENAI_API_KEY is set, but empty",
        "prod lm.api_key": "OPENAI_API_KEY is set, but empty",
        "prod lm.extra_headers.Authorization": "TOKEN is not set",
        "prod rm.token": "key.txt does not exist",
        "vault rm.token": "service/user is not in the keyring",
        "vault rm.password": "DIRECT is not set",
        "own env.FROM_PROFILE": "TOKEN is not set",
        "own lm.api_key": "FROM_PROFILE is not set",
    }
    for message in found.values():
        assert message in done.out
    assert "export TOKEN, or add it to .env" in done.err


def test_one_profiles_own_variables_do_not_help_another(cli: Any, write: Any) -> None:
    write(
        "profiles.toml",
        '[a]\nenv.X_KEY = "${Y}"\n[b.lm]\nmodel = "a/b"\napi_key = "${X_KEY}"\n',
    )
    payload = cli("secrets", "check", "--json", env={"Y": "y-canary"}).payload
    assert by_key(payload)["b lm.api_key"]["status"] == "missing"


def test_unsound_profiles_are_told_and_secrets_in_clear_count_as_missing(
    cli: Any, write: Any, canary: str
) -> None:
    write("profiles.toml", f'[bad]\nx = 1\n[p.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
    for words in (["list"], ["check"]):
        done = cli("secrets", *words)
        assert done.code == (0 if words == ["list"] else 5)
        assert 'unknown section "x"' in done.err
        payload = cli("secrets", *words, "--json").payload
        assert payload["errors"][0]["profile"] == "bad"
        one = by_key(payload)["p lm.api_key"]
        assert (one["reference"], one["status"]) == (None, "in clear")
    assert cli("secrets", "check", "bad").code == 4


def test_each_reference_of_a_list_is_told_for_itself(cli: Any, write: Any) -> None:
    write("profiles.toml", '[p.rm]\nurl = "u"\ntokens = [{token = "${AB}"}, {token = "${A}"}]\n')
    payload = cli("secrets", "check", "--json", env={"AB": "canary-1"}).payload
    found = {one["reference"]: one["status"] for one in payload["references"]}
    assert found == {"${AB}": "ok", "${A}": "missing"}


def test_a_scheme_of_a_plugin_is_followed(
    cli: Any, profiles: Any, write: Any, project: Any, canary: str
) -> None:
    write(
        "plugin_of_mine.py",
        f"""
        from dspy_profiles.plugins import hookimpl

        @hookimpl
        def dspy_profiles_secret_schemes():
            return {{"safe": lambda path: "{canary}" if path == "there" else None}}
        """,
    )
    write("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    write("mine-1.dist-info/entry_points.txt", "[dspy_profiles]\nmine = plugin_of_mine\n")
    write("x.toml", '[p.rm]\nurl = "u"\ntoken = "safe:there"\nsecret = "safe:gone"\n')
    env = {"PYTHONPATH": str(project)}
    payload = cli("secrets", "check", "--file", "x.toml", "--json", env=env).payload
    found = {key: (one["status"], one["source"]) for key, one in by_key(payload).items()}
    assert found == {"p rm.token": ("ok", "safe"), "p rm.secret": ("missing", None)}


def test_nothing_to_tell_is_said(cli: Any) -> None:
    for words in (["list"], ["check"]):
        done = cli("secrets", *words)
        assert (done.code, done.out) == (0, "")
        assert "no profile has references" in done.err
    assert "no plaintext secrets" in cli("secrets", "move").err


def test_move_writes_references_and_loses_nothing(
    cli: Any, leaky: Any, project: Any, canary: str
) -> None:
    done = cli("secrets", "move", "--yes")
    assert done.code == 0, done.err
    env_file = project / ".env"
    assert leaky.read_text() == (
        LEAKY.format(canary)
        .replace(f"{canary}-1", "${OPENAI_API_KEY}")
        .replace(f"Bearer {canary}-2", "Bearer ${PROD_AUTHORIZATION}")
        .replace(f"{canary}-3", "${DEV_API_KEY}")
        .replace(f"'''{canary} \"q\" 'p' \\ # é'''", '"${DEV_PASSWORD}"')
        .replace(f"{canary}-4", "${DEV_TOKEN}")
    )  # fmt: skip
    assert env_file.stat().st_mode & 0o777 == 0o600
    program = (
        "import dspy_profiles as d; from dspy_profiles.secrets import _dotenv as e;"
        "from dspy_profiles.profiles import fetch; from dspy_profiles.profiles import Scene;"
        "Scene.now().load_env();"
        "p = fetch(d.resolve('prod'), 'lm')['lm']; q = fetch(d.resolve('dev'), 'lm', 'rm');"
        "import hashlib; h = lambda s: hashlib.sha256(s.reveal().encode()).hexdigest();"
        "print(h(p['api_key']), h(p['extra_headers']['Authorization']), h(q['lm']['api_key']),"
        " h(q['rm']['tokens'][0]['token']), h(q['rm']['password']))"
    )
    came_back = cli("-c", program, under=(sys.executable,), env={"GOOD": "x"}).out.split()
    texts = ["{}-1", "Bearer {}-2", "{}-3", "{}-4", "{} \"q\" 'p' \\ # é"]
    assert came_back == [hashlib.sha256(t.format(canary).encode()).hexdigest() for t in texts]
    assert "no plaintext secrets" in cli("secrets", "move", "--yes").err


def test_move_never_goes_over_an_existing_name(
    cli: Any, write: Any, project: Any, canary: str
) -> None:
    write("profiles.toml", f'[p.lm]\nmodel = "openai/x"\napi_key = "{canary}-1"\n')
    text = "# theirs\nOPENAI_API_KEY='other'\nexport P_API_KEY=another"
    write(".env", text)
    assert cli("secrets", "move", "--yes", env={"P_LM_API_KEY": "third"}).code == 0
    assert (project / ".env").read_text() == f"{text}\nP_API_KEY_2={canary}-1\n"
    assert cli("get", "p", "lm.api_key").out == "${P_API_KEY_2}\n"


def test_move_again_after_a_crash_takes_the_name_that_was_written(
    cli: Any, write: Any, project: Any, canary: str
) -> None:
    write("profiles.toml", f'[p.lm]\nmodel = "openai/x"\napi_key = "{canary}"\n')
    write(".env", f"OPENAI_API_KEY={canary}\n")  # as a crash between the two files leaves it
    assert cli("secrets", "move", "--yes").code == 0
    assert (project / ".env").read_text() == f"OPENAI_API_KEY={canary}\n"
    assert cli("get", "p", "lm.api_key").out == "${OPENAI_API_KEY}\n"


def test_a_secret_that_somebody_puts_in_meanwhile_is_not_lost(
    terminal: Any, write: Any, project: Any, canary: str
) -> None:
    text = f'[p.lm]\nmodel = "openai/x"\napi_key = "{canary}-1"\n'
    path = write("profiles.toml", text)
    screen = terminal("secrets", "move").until("[Y/n]")
    path.write_text(text.replace("-1", "-2"))
    screen.type("y").until("another program has changed the file")
    assert screen.end() == 6
    assert path.read_text() == text.replace("-1", "-2")
    assert not (project / ".env").exists()


def test_a_crash_between_the_files_loses_nothing(
    cli: Any, write: Any, project: Any, canary: str
) -> None:
    path = write("profiles.toml", f'[p.lm]\nmodel = "openai/x"\napi_key = "{canary}"\n')
    before = path.read_text()
    script = (
        "import os, sys, dspy_profiles.config._edit as e\n"
        "e.replace_file = lambda *_: os._exit(9)\n"
        "from dspy_profiles.cli import app\napp(sys.argv[1:])\n"
    )
    done = cli("secrets", "move", "--yes", under=(sys.executable, "-c", script))
    assert done.code == 9
    assert path.read_text() == before
    assert (project / ".env").read_text() == f"OPENAI_API_KEY={canary}\n"
    assert cli("secrets", "move", "--yes").code == 0
    assert canary not in path.read_text()


def test_a_users_secret_goes_to_the_users_env_file(
    cli: Any, write: Any, home: Any, project: Any, canary: str
) -> None:
    user = write(home / ".dspy/profiles.toml", f'[u.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
    for file in ([], ["--file", user]):
        user.write_text(f'[u.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
        assert cli("secrets", "move", "--yes", *file).code == 0
        assert (home / ".dspy/.env").read_text() == f"A_API_KEY={canary}\n"
    assert (home / ".dspy/.env").stat().st_mode & 0o777 == 0o600
    assert not (project / ".env").exists()


def test_names_come_from_the_model_that_a_key_is_for(
    cli: Any, write: Any, project: Any, canary: str
) -> None:
    write(
        "profiles.toml",
        f"""
        [p.lms.teacher]
        model = "anthropic/x"
        api_key = "{canary}-1"
        [p.embedder]
        model = "my-own/x"
        api_key = "{canary}-2"
        [p.env]
        MY_PASSWORD = "{canary}-3"
        [dspy_profile.rm]
        url = "u"
        token = "{canary}-4"
        """,
    )
    assert cli("secrets", "move", "--yes").code == 0
    assert [line.partition("=")[0] for line in (project / ".env").read_text().splitlines()] == [
        "ANTHROPIC_API_KEY",
        "MY_OWN_API_KEY",
        "MY_PASSWORD",
        "MY_DSPY_PROFILE_TOKEN",
    ]
    assert cli("secrets", "check").code == 0


def test_an_open_env_file_is_closed(cli: Any, write: Any, leaky: Any, project: Any) -> None:
    write(".env", "X=1\n").chmod(0o644)
    done = cli("secrets", "move", "--yes")
    assert (project / ".env").stat().st_mode & 0o777 == 0o600
    assert "from 644 to 600" in done.err


def test_the_setting_env_file_is_where_they_go(
    cli: Any, write: Any, leaky: Any, project: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nenv-file = "keys.env"\n')
    assert cli("secrets", "move", "--yes").code == 0
    assert not (project / ".env").exists()
    assert cli("secrets", "check", env={"GOOD": "x"}).code == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_it_says_when_git_would_take_the_env_file(cli: Any, leaky: Any, project: Any) -> None:
    before = leaky.read_text()
    shutil.rmtree(project / ".git")
    subprocess.run(["git", "init", "-q"], check=True)
    done = cli("secrets", "move", "--yes")
    assert ".env is not ignored by git" in done.err
    assert "echo .env >> .gitignore" in done.err
    leaky.write_text(before)
    (project / ".env").unlink()
    (project / ".gitignore").write_text(".env\n")
    subprocess.run(["git", "add", "profiles.toml"], check=True)
    done = cli("secrets", "move", "--yes")
    assert "not ignored" not in done.err
    assert "profiles.toml is in git" in done.err


def test_what_stands_beside_a_reference_is_told_not_moved(
    cli: Any, write: Any, canary: str
) -> None:
    path = write(
        "profiles.toml",
        f"""
        [p.lm]
        model = "a/b"
        api_key = "${{NEW:-{canary}-1}}"
        [p.rm]
        url = "u"
        token = "${{X}}-{canary}-2"
        """,
    )
    done = cli("secrets", "move", "--yes")
    assert done.code == 5
    assert 'rm.token of "p" in profiles.toml cannot be moved' in done.err
    assert 'api_key = "${NEW}"' in path.read_text()
    assert f"{canary}-2" in path.read_text()


@pytest.mark.parametrize("value", ["canary-${HOME}-x", "canary-$${HOME}"])
def test_what_an_env_file_cannot_hold_stays_and_the_others_are_moved(
    cli: Any, write: Any, project: Any, value: Any
) -> None:
    stays = f"[p.rm]\nurl = 'u'\npassword = 'canary {value}'\n"
    path = write("profiles.toml", stays)
    done = cli("secrets", "move", "--yes")
    assert (done.code, done.out) == (5, "")
    assert 'rm.password of "p" in profiles.toml cannot be moved' in done.err
    assert path.read_text() == stays
    assert not (project / ".env").exists()
    path.write_text(f"{stays}[q.rm]\nurl = 'u'\npassword = 'canary'\n")
    done = cli("secrets", "move", "--yes")
    assert done.code == 5
    assert done.lines[0][:2] == ["q", "rm.password"]
    assert path.read_text().startswith(stays)
    assert (project / ".env").read_text() == "Q_PASSWORD=canary\n"


def test_a_broken_line_of_an_env_file_is_told_once_with_its_place(
    cli: Any, write: Any, leaky: Any
) -> None:
    write(".env", "A=1\nwhat is this\n")
    write(".env.other", "DSPY_LM_MODEL=a/b\n? ?\n")
    for words in (["secrets", "move", "--yes"], ["show", "prod"], ["secrets", "check"]):
        said = cli(*words).err
        assert said.count(".env:2: not NAME=VALUE") == 1
        assert (said.count("NAME=VALUE"), said.count("dotenv")) == (1, 0)
    done = cli("run", "-p", "mock", "--", sys.executable, "-c", "import dspy")
    assert done.err.count("NAME=VALUE") == 1
    assert ".env.other:2: not NAME=VALUE" in cli("import", ".env.other", "--profile", "x").err


def test_an_env_that_is_a_folder_is_refused(cli: Any, leaky: Any, project: Any) -> None:
    (project / ".env").mkdir()
    before = leaky.read_text()
    done = cli("secrets", "move", "--yes")
    assert (done.code, done.out) == (4, "")
    assert leaky.read_text() == before


def test_a_person_is_asked_for_each(
    cli: Any, terminal: Any, leaky: Any, project: Any, canary: str
) -> None:
    done = cli("secrets", "move")
    assert (done.code, "--yes" in done.err) == (2, True)
    screen = terminal("secrets", "move").until('Move lm.api_key of "prod"').until("OPENAI_API_KEY?")
    screen.interrupt()
    assert screen.end() == 130
    assert leaky.read_text() == LEAKY.format(canary)
    assert not (project / ".env").exists()
    screen = terminal("secrets", "move").until("[Y/n]").type("n").until("is still plaintext")
    screen.until("Authorization").until("[Y/n]").type("")
    for _ in range(4):
        screen.until("[Y/n]").type("n")
    assert screen.end() == 0
    assert "canary" not in screen.seen
    assert (project / ".env").read_text() == f"PROD_AUTHORIZATION={canary}-2\n"
    assert f"{canary}-1" in leaky.read_text()
