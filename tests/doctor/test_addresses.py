"""Where requests go, who said so, and what goes along."""

from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.cli.doctor._addresses import Route
from dspy_profiles.cli.doctor._live import calls
from dspy_profiles.cli.doctor._walk import examine

pytestmark = pytest.mark.usefixtures("stranger")

GATEWAY = "https://user@gw.example:8443/v1?key=canary"
WITH_PASSWORD = "https://user:canary@gw.example:8443/v1?key=canary"  # not in a profile


def way(name: str = "a", **how: Any) -> Route:
    found = examine([name], **how)
    assert found.profiles[0].is_valid, found.profiles[0].problems
    return calls(found)[name].route


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123")
    monkeypatch.setenv("GW_KEY", "canary-gateway")


@pytest.mark.parametrize(
    ("model", "host"),
    [
        ("openai/gpt-4o", "api.openai.com"),
        ("gpt-4o", "api.openai.com"),
        ("anthropic/claude-x", "api.anthropic.com"),
        ("ollama_chat/llama3", "localhost:11434"),
        ("together_ai/x", "the default address of together_ai"),
    ],
)
def test_a_provider_has_an_address_of_its_own(write: Any, model: str, host: str) -> None:
    write("profiles.toml", f'[a.lm]\nmodel = "{model}"\n')
    assert (way().host, way().asks) == (host, False)


def test_the_mock_sends_nothing(write: Any, key: None) -> None:
    write("profiles.toml", f'[a]\nprovider.class = "mock"\nlm.api_base = "{GATEWAY}"\n')
    assert (way().host, way().offline, way().asks) == ("offline", True, False)


@pytest.mark.parametrize("name", ["api_base", "base_url"])
def test_an_address_of_the_project_that_a_key_goes_to_asks(
    write: Any, project: Path, key: None, name: str
) -> None:
    write(
        "profiles.toml",
        f'[a.lm]\nmodel = "openai/x"\n{name} = "{GATEWAY}"\napi_key = "${{GW_KEY}}"\n',
    )
    found = way()
    assert (found.host, found.sends, found.asks) == ("gw.example:8443", ("GW_KEY",), True)
    assert str(found.set_by) == f"{project}/profiles.toml:3"
    assert "canary" not in repr(found)


def test_a_key_that_goes_along_unasked_counts(write: Any, key: None) -> None:
    write("profiles.toml", f'[a.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\n')
    assert way().sends == ("OPENAI_API_KEY",)


def test_any_other_reference_may_be_a_secret(
    write: Any, monkeypatch: pytest.MonkeyPatch, key: None
) -> None:
    monkeypatch.setenv("DIARY", "dear diary")
    write(
        "profiles.toml",
        f'[a.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\napi_key = "none"\n'
        'extra_headers.x = "${DIARY}"\n',
    )
    assert way().sends == ("DIARY",)


def test_a_secret_within_the_address_itself_counts(write: Any, key: None) -> None:
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/x"\napi_base = "https://gw.example/${GW_KEY}"\napi_key = "none"\n',
    )
    assert (way().host, way().sends, way().asks) == ("gw.example", ("GW_KEY",), True)


def test_where_no_secret_goes_along_nobody_is_asked(write: Any, key: None) -> None:
    write(
        "profiles.toml",
        f'[a.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\napi_key = "not-needed"\n',
    )
    assert (way().sends, way().asks) == ((), False)


def test_an_address_in_the_users_own_file_asks_nobody(write: Any, home: Path, key: None) -> None:
    write(
        home / ".dspy/profiles.toml",
        f'[a.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\napi_key = "${{GW_KEY}}"\n',
    )
    assert (way().host, way().asks) == ("gw.example:8443", False)


def test_an_address_that_a_project_inherits_from_the_user_asks_nobody(
    write: Any, home: Path, key: None
) -> None:
    write(home / ".dspy/profiles.toml", f'[gw.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\n')
    write("profiles.toml", '[a]\nextends = "gw"\nlm.api_key = "${GW_KEY}"\n')
    assert not way().asks


def test_a_file_that_was_named_is_not_the_users_own(write: Any, project: Path, key: None) -> None:
    write("other.toml", f'[a.lm]\nmodel = "openai/x"\napi_base = "{GATEWAY}"\n')
    assert way(file=project / "other.toml").asks


def test_an_address_in_the_users_environment_asks_nobody(
    write: Any, monkeypatch: pytest.MonkeyPatch, key: None
) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", WITH_PASSWORD)
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    assert (way().host, way().asks) == ("gw.example:8443", False)


def test_an_address_in_a_strangers_env_file_is_left_out(write: Any, key: None) -> None:
    write(".env", f"OPENAI_BASE_URL={WITH_PASSWORD}\n")
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    assert (way().host, way().asks) == ("api.openai.com", False)


def test_an_address_in_the_users_env_file_asks_nobody(write: Any, home: Path, key: None) -> None:
    write(home / ".dspy/.env", f"OPENAI_BASE_URL={WITH_PASSWORD}\n")
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\n')
    assert not way().asks


def test_an_address_in_a_strangers_environment_of_a_profile_is_left_out(
    write: Any, key: None
) -> None:
    write(
        "profiles.toml",
        f'[a]\nlm.model = "openai/x"\nenv.OPENAI_API_BASE = "{GATEWAY}"\n'
        '[b]\nlm.model = "openai/x"\n',
    )
    found = calls(examine(["a", "b"]))
    assert [call.route.host for call in found.values()] == ["api.openai.com"] * 2
    assert not any(call.route.asks for call in found.values())


def test_a_secret_in_the_name_of_the_host_counts(write: Any, key: None) -> None:
    write(
        "profiles.toml",
        '[a.lm]\nmodel = "openai/x"\napi_base = "${GW_KEY}.example"\napi_key = "none"\n',
    )
    assert way().sends == ("GW_KEY",)


def test_a_provider_that_only_litellm_knows_may_take_any_key(write: Any) -> None:
    write("profiles.toml", f'[a.lm]\nmodel = "together_ai/x"\napi_base = "{GATEWAY}"\n')
    assert way().asks


def test_an_address_that_is_none_is_said_to_be_none(write: Any, key: None) -> None:
    write("profiles.toml", '[a.lm]\nmodel = "openai/x"\napi_base = "http://[::1"\n')
    assert (way().host, way().asks) == ("an invalid address", True)
