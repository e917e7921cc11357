"""A canary goes in by every way there is, and comes out nowhere but in `reveal`."""

import copy
import dataclasses
import io
import json
import logging
import os
import pickle
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from dspy_profiles import plugins
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Scene, check_overrides, fetch, missing, resolve
from dspy_profiles.secrets import Secret, add_redaction_rule, redact, remember
from dspy_profiles.secrets import _dotenv as environment

CANARY = "sk-canary-7f3a9c"
WAYS = ["environment", "dotenv", "file", "keyring", "plugin", "header", "override"]


class Vault:
    @plugins.hookimpl
    def dspy_profiles_secret_schemes(self) -> Any:
        return {"vault": self.get}

    def get(self, path: Any) -> Any:
        if path == "fail":
            raise RuntimeError(f"wrong answer {CANARY}")
        return CANARY


class CanaryKeyring(KeyringBackend):
    priority = 1

    def get_password(self, service: Any, username: Any) -> Any:
        return CANARY

    def set_password(self, service: Any, username: Any, password: Any) -> None:
        raise NotImplementedError

    def delete_password(self, service: Any, username: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def vault() -> Iterator[Any]:
    plugin = Vault()
    plugins.manager().register(plugin)
    yield
    plugins.manager().unregister(plugin)


@pytest.fixture
def listened() -> Iterator[Any]:
    """What is logged or warned, of anybody, at the finest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield lambda: stream.getvalue() + "".join(str(one.message) for one in warned)
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def profile(write: Any, vault: Any, project: Any) -> Iterator[Any]:
    """The profile with a canary that comes this way."""
    before = keyring.get_keyring()
    keyring.set_keyring(CanaryKeyring())  # type: ignore[no-untyped-call]

    def made(way: Any, **more: Any) -> Any:
        references = {
            "environment": "${CANARY_KEY}",
            "dotenv": "${CANARY_KEY}",
            "file": "file:canary.txt",
            "keyring": "keyring:svc/me",
            "plugin": "vault:x",
            "header": "Bearer ${CANARY_KEY}",
            "override": "${UNUSED}",
        }
        write("profiles.toml", f'[p.lm]\nmodel = "m"\napi_key = "{references[way]}"\n')
        if way in ("environment", "header"):
            os.environ["CANARY_KEY"] = CANARY
        write(".env", f"CANARY_KEY={CANARY}\n" if way == "dotenv" else "")
        write("canary.txt", CANARY + "\n")
        environment.load_env_files(Scene.now().env_files, lambda _: True)
        lm = {"api_key": CANARY} if way == "override" else {}
        return resolve("p", **{"lm": lm, **more})

    yield made
    keyring.set_keyring(before)


def shown(thing: Any, depth: int = 0) -> Any:
    """All that a curious person would print of a thing."""
    texts = [repr(thing), str(thing), f"{thing}", f"{thing!r:>40}", "%s" % (thing,)]  # noqa: UP031
    if depth < 3:
        texts += [shown(value, depth + 1) for value in getattr(thing, "__dict__", {}).values()]
        if isinstance(thing, dict):
            texts += [shown(value, depth + 1) for value in thing.values()]
    return "\n".join(texts)


def frames(error: Any) -> Any:
    """What a tool that prints local variables would print of our frames."""
    text = []
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("dspy_profiles"):
                text.append(f"{frame.f_code.co_name}: {frame.f_locals!r}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert text
    return "\n".join(text)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_resolved_and_fetched_shows_it_nowhere(
    profile: Any, listened: Any, way: Any
) -> None:
    resolved = profile(way)
    fetched = fetch(resolved, "lm")
    secret = fetched["lm"]["api_key"]
    assert CANARY in secret.reveal()
    assert missing(resolved) == []
    for thing in (resolved, resolved.values, fetched, secret, [secret], resolved.origins()):
        assert CANARY not in shown(thing)
    for travelled in (resolved, fetched, secret):
        assert CANARY.encode() not in pickle.dumps(travelled)
        assert CANARY not in shown(copy.deepcopy(travelled))
        assert CANARY not in shown(copy.copy(travelled))
    assert CANARY not in shown(dataclasses.asdict(resolved))
    assert CANARY not in json.dumps(fetched, default=str)
    assert CANARY not in listened()
    assert CANARY not in redact(f"before {CANARY} after")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "more",
    [
        {"rm": {"token": "${GONE}"}},
        {"rm": {"token": "vault:fail"}},
        {"rm": {"token": "file:."}},
        {"rm": {"token": "${MALFORMED"}},
        {"rmm": {"url": "u"}},
        {"temperature": 1},
        {"rm": CANARY},
        {"rm": {"password": "${X:-" + CANARY + "}"}},
        {"rm": {"password": CANARY, "url": "${" + CANARY}},
        {"env": {"": CANARY}},
        {"extends": CANARY},
    ],
    ids=lambda more: " ".join(more) if isinstance(more, dict) else None,
)
def test_an_error_that_comes_later_shows_it_nowhere(
    profile: Any, listened: Any, way: Any, more: Any
) -> None:
    with pytest.raises(ProfileError) as caught:
        fetch(profile(way, **more), "lm", "rm")
    error = caught.value
    told = [str(error), repr(error), *traceback.format_exception(error), frames(error)]
    assert CANARY not in "\n".join(told)
    assert CANARY.encode() not in pickle.dumps(error)
    assert CANARY not in listened()


@pytest.mark.parametrize(
    "text",
    [
        f'[p.lm]\napi_key = "{CANARY}"\n',
        f'[p.lm]\nx = [{{ token = "{CANARY}" }}]\n',
        f'[p.lmm]\napi_key = "{CANARY}"\n',
        f'[p]\nlm = "{CANARY}"\n',
        f'p = "{CANARY}"\n',
        f'[p.env]\nX = "{CANARY}"\nY = 1\n',
        f'[p]\nextends = "gone"\nlm.api_key = "{CANARY}"\n',
        f'[p.lm]\napi_key = "{CANARY}${{"\n',
        f'[p.lm]\napi_key = "{CANARY}"\n[p.lm{".x" * 120}]\n',
    ],
)
def test_an_error_about_a_file_that_holds_it_in_clear_shows_it_nowhere(
    write: Any, text: Any
) -> None:
    write("profiles.toml", text)
    with pytest.raises(ProfileError) as caught:
        resolve("p")
    error = caught.value
    assert CANARY not in "\n".join([*traceback.format_exception(error), frames(error)])


def test_an_error_about_an_env_file_shows_nothing_of_the_others(project: Any, write: Any) -> None:
    write("a.env", f"X={CANARY}\n")
    (project / "b.env").write_bytes(CANARY.encode() + b"=\xff\n")
    with pytest.raises(ProfileError) as caught:
        environment.load_env_files([project / "a.env", project / "b.env"], lambda _: True)
    error = caught.value
    assert CANARY not in "\n".join([*traceback.format_exception(error), frames(error)])


@pytest.mark.parametrize(
    "more", [{"rmm": {}}, {"temperature": 0}, {"extends": "x"}, {"lm": CANARY}]
)
def test_an_error_about_overrides_shows_nothing_of_them(more: Any) -> None:
    with pytest.raises(ProfileError) as caught:
        check_overrides({"rm": {"token": CANARY}, **more})
    assert CANARY not in frames(caught.value)


def test_an_error_of_looking_for_one_name_shows_nothing_of_the_others(
    home: Any, project: Any, write: Any
) -> None:
    write(".env", f"X={CANARY}\n")
    write(home / ".dspy/.env", "").write_bytes(b"Y=\xff\n")
    with pytest.raises(ProfileError) as caught:
        resolve()
    assert CANARY not in frames(caught.value)


def test_an_error_about_a_variable_shows_no_other(project: Any) -> None:
    with pytest.raises(ProfileError) as caught:
        environment.set_variables_once("p", {"X": CANARY, "Y": CANARY + "\0"})
    assert CANARY not in frames(caught.value)


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(CANARY, "${X}")
    assert (str(secret), repr(secret), f"{secret:>10}") == (
        "********",
        "Secret(${X})",
        "  ********",
    )
    assert secret == Secret(CANARY, "elsewhere")
    assert secret != Secret("other", "${X}")
    assert secret != CANARY
    assert not hasattr(secret, "__dict__")
    assert copy.deepcopy([secret])[0].reveal() == CANARY


def test_a_secret_that_travelled_in_a_pickle_says_that_it_is_not_there() -> None:
    travelled = pickle.loads(pickle.dumps(Secret(CANARY, "${X}")))
    with pytest.raises(ProfileError, match=r"does not hold the secret of \$\{X\}"):
        travelled.reveal()


def test_redaction_replaces_the_longest_first() -> None:
    remember("abcdef", "${SHORT}")
    remember("abcdefghi", "${LONG}")
    assert redact("abcdefghi abcdef") == "${LONG} ${SHORT}"


def test_redaction_leaves_fillers_and_what_is_too_short() -> None:
    for text in ("none", "EMPTY", "dummy", "abc", "", "   "):
        remember(text, "${X}")
    assert redact("none EMPTY dummy abc   .") == "none EMPTY dummy abc   ."


def test_redaction_finds_a_value_as_repr_json_and_addresses_spell_it() -> None:
    key = '-----BEGIN "KEY"-----\nab/c+d\\e\n-----END-----\n'
    remember(key, "${PEM}")
    for text in (key, repr(key), json.dumps({"k": key}), repr({"k": [key]})):
        assert "ab/c+d" not in redact(text)
    remember("p@ss/word", "${PASSWORD}")
    assert redact("postgres://u:p%40ss%2Fword@h") == "postgres://u:${PASSWORD}@h"


def test_redaction_finds_the_token_without_its_scheme() -> None:
    remember(f"Bearer {CANARY}", "${HEADER}")
    assert CANARY not in redact(CANARY)


def test_redaction_masks_what_a_rule_matches() -> None:
    add_redaction_rule(r"acme-\d+")
    add_redaction_rule(r"acme-\d+")
    assert redact("an acme-123 key") == "an ******** key"
