"""References: every form, what is missing, and what no reference is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from dspy_profiles.errors import InvalidProfile, MissingSecret, ProviderError
from dspy_profiles.profiles import Fetched, fetch, missing, references, resolve, secret_files
from dspy_profiles.secrets import Secret


class Memory(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept = {("svc", "me"): "sk-from-keyring"}

    def get_password(self, service: Any, username: Any) -> Any:
        if service == "broken":
            raise RuntimeError("sk-from-keyring is locked")
        return self.kept.get((service, username))

    def set_password(self, service: Any, username: Any, password: Any) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: Any, username: Any) -> None:
        raise PasswordDeleteError


@pytest.fixture
def memory_keyring() -> Iterator[Any]:
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def fetched(write: Any) -> Any:
    """What a value under `lm.<key>` comes to."""

    def get(text: Any, key: str = "api_key") -> Any:
        write("profiles.toml", f"[p.lm]\n{key} = '''{text}'''\n")
        value = fetch(resolve("p"), "lm")["lm"][key]
        return value.reveal() if isinstance(value, Secret) else value

    return get


@pytest.fixture(autouse=True)
def variables() -> None:
    os.environ |= {"A_KEY": "sk-aaaa", "B": "bbb", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A_KEY}", "sk-aaaa"),
        ("env:A_KEY", "sk-aaaa"),
        ("Bearer ${A_KEY}", "Bearer sk-aaaa"),
        ("${A_KEY}${B}", "sk-aaaabbb"),
        ("${GONE:-none}", "none"),
        ("${GONE:-}", ""),
        ("${EMPTY:-none}", "none"),
        ("${A_KEY:-none}", "sk-aaaa"),
    ],
)
def test_a_reference_under_a_secrets_name(fetched: Any, text: Any, expected: Any) -> None:
    assert fetched(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://${B}:80/${B}", "http://bbb:80/bbb"),
        ("$${B}", "${B}"),
        ("a $${ b", "a ${ b"),
        ("$${${B}}", "${bbb}"),
        ("$B and $", "$B and $"),
        ("{B} }", "{B} }"),
        ("${GONE:-a b/c:d}", "a b/c:d"),
        ("${GONE:-$$}", "$$"),
        ("${EMPTY}", ""),
        ("env:not a name", "env:not a name"),
        ("http://x", "http://x"),
        ("file://x", "file://x"),
        ("C:stuff", "C:stuff"),
        ("ollama:7b", "ollama:7b"),
        ("", ""),
    ],
)
def test_a_reference_or_none_under_another_name(fetched: Any, text: Any, expected: Any) -> None:
    assert fetched(text, "model") == expected


@pytest.mark.parametrize(
    "text", ["${", "${}", "${A", "${A-B}", "${1A}", "${A:-${B}}", "${ A }", "x${A:-{}}", "${ü}"]
)
def test_a_malformed_reference_is_an_error_with_its_place(write: Any, text: Any) -> None:
    path = write("profiles.toml", f"[p.lm]\n\nmodel = '{text}'\n")
    with pytest.raises(InvalidProfile, match=r'profile "p": lm\.model') as error:
        resolve("p")
    assert str(error.value.where) == f"{path}:3"
    assert error.value.hint is not None
    assert "$${" in error.value.hint


def test_what_is_no_secret_comes_as_text_that_may_become_a_number(write: Any) -> None:
    write("profiles.toml", "[p.lm]\ntemperature = '${B}'\nx = ['${B}', { y = '${B}' }]\n")
    values = fetch(resolve("p"), "lm")["lm"]
    assert isinstance(values["temperature"], Fetched)
    assert isinstance(values["x"][1]["y"], Fetched)
    assert values["x"] == ["bbb", {"y": "bbb"}]


def test_the_variables_name_alone_makes_a_secret_of_it(write: Any) -> None:
    write("profiles.toml", "[p.lm]\nx = '${A_KEY}'\ny = 'env:MY_API_KEY'\nz = '${MY_TOKEN}'\n")
    assert resolve("p").secret_keys == {("lm", "y"), ("lm", "z")}


def test_a_file_gives_its_text_without_the_last_line_end(
    fetched: Any, project: Any, write: Any
) -> None:
    secret = write("key.txt", "sk-in  file \r\n\n")
    assert fetched(f"file:{secret}") == "sk-in  file "


def test_a_relative_file_lies_beside_the_profiles_file_that_names_it(
    home: Any, project: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("keys/a.txt", "sk-project\n")
    write(home / ".dspy/b.txt", "sk-user\n")
    write(home / ".dspy/profiles.toml", "[base.lm]\ntoken = 'file:b.txt'\n")
    write("profiles.toml", "[p]\nextends = 'base'\nlm.api_key = 'file:keys/a.txt'\n")
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    profile = resolve("p")
    lm = fetch(profile, "lm")["lm"]
    assert [lm[k].reveal() for k in ("api_key", "token")] == ["sk-project", "sk-user"]
    assert dict(references(profile)) == {
        ("lm", "token"): "file:b.txt",
        ("lm", "api_key"): "file:keys/a.txt",
    }
    assert set(secret_files(profile)) == {project / "keys/a.txt", home / ".dspy/b.txt"}


def test_a_relative_file_of_an_override_starts_at_the_working_directory(
    project: Any, write: Any
) -> None:
    write("k.txt", "sk-here")
    found = fetch(resolve("mock", lm={"api_key": "file:k.txt"}), "lm")["lm"]
    assert found["api_key"].reveal() == "sk-here"


def test_a_tilde_is_the_home(fetched: Any, home: Any, write: Any) -> None:
    write(home / "k.txt", "sk-home")
    assert fetched("file:~/k.txt") == "sk-home"


def test_a_file_with_a_byte_order_mark_gives_its_text(fetched: Any, project: Any) -> None:
    (project / "k.txt").write_bytes(b"\xef\xbb\xbfsk-bom\r\n")
    assert fetched("file:k.txt") == "sk-bom"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("${GONE}", "GONE is not set"),
        ("env:GONE", "GONE is not set"),
        ("${EMPTY}", "EMPTY is set, but empty"),
        ("env:EMPTY", "EMPTY is set, but empty"),
        ("file:gone.txt", "gone.txt does not exist"),
        ("file:~no-such-user-here/x", "does not exist"),
        ("file:.", "cannot be read: Is a directory"),
        ("file:latin.txt", "cannot be read: it is not UTF-8 text"),
        ("file:a\tb", "does not exist"),
    ],
)
def test_a_missing_one_is_told_with_key_profile_and_place(
    write: Any, project: Any, reference: Any, reason: Any
) -> None:
    (project / "latin.txt").write_bytes(b"sk-\xe9\xe9")
    path = write("profiles.toml", f"[p.lm]\napi_key = '{reference}'\n")
    with pytest.raises(MissingSecret) as error:
        fetch(resolve("p"), "lm")
    assert reason in error.value.message
    assert 'profile "p" needs it for lm.api_key' in error.value.message
    assert str(error.value.where) == f"{path}:2"
    assert error.value.exit_code == 5


def test_all_that_are_missing_are_told_at_once(write: Any) -> None:
    path = write(
        "profiles.toml",
        """
        [p.lm]
        api_key = "${ONE}"
        headers = ["file:gone.txt", { token = "${TWO}" }]
        [p.env]
        X = "env:THREE"
        """,
    )
    with pytest.raises(MissingSecret) as error:
        fetch(resolve("p"), "lm", "env")
    for text in (
        f"ONE is not set, for lm.api_key at {path}:2",
        f"gone.txt does not exist, for lm.headers at {path}:3",
        f"TWO is not set, for lm.headers.token at {path}:3",
        f"THREE is not set, for env.X at {path}:5",
    ):
        assert text in error.value.message
    assert error.value.hint == "export ONE and TWO and THREE, or add them to .env"
    assert [m.name for m in missing(resolve("p"))] == ["ONE", "gone.txt", "TWO", "THREE"]


def test_what_is_skipped_is_not_missed(write: Any) -> None:
    write("profiles.toml", "[p.lm]\nmodel = 'm'\napi_key = '${GONE}'\n")
    profile = resolve("p")
    assert fetch(profile, "lm", skip=lambda key: key == ("lm", "api_key")) == {"lm": {"model": "m"}}
    assert fetch(profile, "rm") == {}


def test_the_keyring_gives_a_secret(fetched: Any, memory_keyring: Any) -> None:
    assert fetched("keyring:svc/me") == "sk-from-keyring"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("svc/you", "svc/you is not in the keyring"),
        ("svc", "svc is not in the keyring"),
        ("broken/me", "the keyring failed with RuntimeError"),
    ],
)
def test_a_keyring_without_the_entry_is_told(
    fetched: Any, memory_keyring: Any, entry: Any, reason: Any
) -> None:
    with pytest.raises(MissingSecret, match=reason) as error:
        fetched(f"keyring:{entry}")
    assert "sk-" not in str(error.value)


def test_without_the_package_the_keyring_says_what_to_install(write: Any, project: Any) -> None:
    path = write("profiles.toml", "[p.lm]\napi_key = 'keyring:svc/me'\n")
    code = (
        "import sys; sys.modules['keyring'] = None\n"
        "from dspy_profiles import ProfileError, resolve\n"
        "from dspy_profiles.profiles import fetch\n"
        "try: fetch(resolve('p'), 'lm')\n"
        "except ProfileError as error: print(type(error).__name__, error, sep='|')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )
    kind, text = ran.stdout.split("|")
    assert kind == ProviderError.__name__
    assert "pip install 'dspy-profiles[keyring]'" in text
    assert f"{path}:2" in text


def test_resolving_follows_no_reference(write: Any) -> None:
    write("profiles.toml", "[p.lm]\napi_key = '${GONE}'\nx_token = 'file:/gone'\n")
    assert resolve("p").lm == {"api_key": "${GONE}", "x_token": "file:/gone"}
