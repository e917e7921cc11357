"""The password of an address is a secret, wherever the address comes from."""

from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.errors import PlaintextSecret
from dspy_profiles.profiles import fetch, resolve
from dspy_profiles.secrets import Secret, redact, remember

PASSWORD = "pw-Canary%2F7f3a9c"
DECODED = "pw-Canary/7f3a9c"


@pytest.mark.parametrize(
    "line",
    [
        'lm.api_base = "http://me:{}@h/v1"',
        'lm.api_base = "http://me:{}@${{HOST}}:8000/v1?x=y@z"',
        'lm.api_base = "http://${{NAME}}:{}@h"',
        'lm.api_base = "http://:{}@h"',
        'lm.api_base = "${{URL:-http://me:{}@h}}"',
        'lm.api_base = "http://me:${{PW:-{}}}@h"',
        'lm.model = "http://me:{}@h"',
        'lm.fallbacks = ["x", "http://me:{}@h"]',
        'lm.hosts = [{{ url = "http://me:{}@h" }}]',
        'lm.extra_headers.X-Proxy = "http://me:{}@h"',
        'env.HTTPS_PROXY = "socks5h://me:{}@h:1080"',
        'env.PIP_ARGS = "--proxy http://me:{}@h --quiet"',
        'env.DATABASE = "postgresql+psycopg://me:{}@h/db"',
        'rm.url = "http://me:{}@h"',
        'lms.judge.api_base = "http://me:{}@h"',
        'lm.ca_path = "http://me:{}@h"',
    ],
)
def test_a_literal_password_is_refused(write: Any, line: str) -> None:
    path = write("profiles.toml", "[p]\n" + line.format(PASSWORD) + "\n")
    with pytest.raises(PlaintextSecret) as caught:
        resolve("p")
    assert str(caught.value.where) == f"{path}:2"
    assert "Canary" not in str(caught.value)
    assert "Canary" not in redact(f"{PASSWORD} {DECODED}")


@pytest.mark.parametrize(
    "address",
    [
        "http://h/v1",
        "http://me@h/v1",
        "http://me:@h",
        "http://me:none@h",
        "http://me:not-needed@h",
        "http://me:${PW}@h",
        "http://me:${PW:-dummy}@h",
        "http://h:8000/files/a@b",
        "http://h/?mail=me:you@example.com",
        "mail me:now@example.com",
        "${URL:-http://h:8000}",
    ],
)
def test_an_address_without_a_literal_password_passes(write: Any, address: str) -> None:
    write("profiles.toml", f'[p.lm]\napi_base = "{address}"\n')
    assert str(resolve("p").lm["api_base"]) == address


def test_a_key_of_not_secret_may_hold_a_password(write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nnot-secret = ["test_base"]\n')
    write("profiles.toml", '[p.lm]\ntest_base = "http://me:public-one@h"\n')
    assert resolve("p").lm["test_base"] == "http://me:public-one@h"


def test_a_description_may_show_an_address(write: Any) -> None:
    write("profiles.toml", '[p]\ndescription = "as http://me:password@h"\n')
    assert resolve("p").name == "p"


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("http://me:${PW}@${HOST}/v1", {"PW": PASSWORD, "HOST": "localhost"}),
        ("${PROXY_URL}", {"PROXY_URL": f"http://me:{PASSWORD}@localhost"}),
        ("http://${WHERE}/v1", {"WHERE": f"me:{PASSWORD}@localhost"}),
        ("env:PROXY_URL", {"PROXY_URL": f"http://me:{PASSWORD}@localhost"}),
        ("file:address", {}),
    ],
)
def test_a_password_that_a_reference_brings_is_masked(
    write: Any, monkeypatch: pytest.MonkeyPatch, written: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    write("address", f"http://me:{PASSWORD}@localhost")
    write("profiles.toml", f'[p]\nrm.url = "{written}"\nenv.X = "{written}"\n')
    values = fetch(resolve("p"), "rm", "env")
    assert isinstance(values["rm"]["url"], Secret)
    assert PASSWORD in values["env"]["X"].reveal()
    assert "Canary" not in redact(f"{PASSWORD} {DECODED} http://you:{PASSWORD}@elsewhere")
    assert redact("localhost, me") == "localhost, me"


def test_an_unquoted_password_is_masked() -> None:
    remember("http://me:pw/Canary#7f3a@9c@h/v1", "${URL}")
    assert redact("it is pw/Canary#7f3a@9c") == "it is ${URL}"


def test_a_token_in_place_of_a_user_is_masked() -> None:
    remember("https://token-0123456789@h/v1", "${URL}")
    assert redact("it is token-0123456789") == "it is ${URL}"


def test_secrets_move_moves_an_address(write: Any, project: Path) -> None:
    from typer.testing import CliRunner

    from dspy_profiles.cli import app

    write("profiles.toml", f'[p]\nextends = "mock"\nlm.api_base = "http://me:{PASSWORD}@h"\n')
    done = CliRunner().invoke(app, ["secrets", "move", "--yes"])
    assert done.exit_code == 0, done.output
    assert "Canary" not in done.output + (project / "profiles.toml").read_text("utf-8")
    assert PASSWORD in (project / ".env").read_text("utf-8")
