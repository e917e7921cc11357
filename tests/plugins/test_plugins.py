"""Plugins: registered by hand or by entry point; a broken one is told, not passed on."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dspy_profiles import plugins
from dspy_profiles.errors import MissingSecret, ProviderError
from dspy_profiles.profiles import fetch, resolve
from dspy_profiles.secrets import Reference, redact


@pytest.fixture
def register() -> Iterator[Any]:
    registered = []

    def one(**hooks: Any) -> Any:
        plugin = type("Plugin", (), {})()
        for name, hook in hooks.items():
            setattr(plugin, f"dspy_profiles_{name}", plugins.hookimpl(hook))
        registered.append(plugin)
        plugins.manager().register(plugin)
        return plugin

    yield one
    for plugin in registered:
        plugins.manager().unregister(plugin)


@pytest.fixture
def vault(write: Any) -> Any:
    """A profile with a reference by the scheme "vault"."""
    path = write("profiles.toml", '[p.lm]\napi_key = "vault:team/key"\n')

    def get() -> Any:
        return fetch(resolve("p"), "lm")["lm"]["api_key"]

    found: Any = get
    found.path = path
    return found


def test_a_scheme_of_a_plugin_gives_secrets(register: Any, vault: Any) -> None:
    asked = []

    def get(path: str) -> str:
        asked.append(path)
        return "sk-vault"

    register(secret_schemes=lambda: {"vault": get})
    assert isinstance(resolve("p").lm["api_key"], Reference)
    assert asked == []
    assert vault().reveal() == "sk-vault"
    assert asked == ["team/key"]


def test_one_that_has_no_such_secret_says_none(register: Any, vault: Any) -> None:
    register(secret_schemes=lambda: {"vault": lambda path: None})
    with pytest.raises(MissingSecret, match="team/key does not exist") as error:
        vault()
    assert str(error.value.where) == f"{vault.path}:2"


@pytest.mark.parametrize("scheme", [lambda path: 1 / 0, lambda path: 3, lambda path: b"x", 5])
def test_a_scheme_that_fails_is_told_with_its_place(register: Any, vault: Any, scheme: Any) -> None:
    register(secret_schemes=lambda: {"vault": scheme})
    with pytest.raises(ProviderError, match="the secret scheme of vault:team/key failed") as error:
        vault()
    assert str(error.value.where) == f"{vault.path}:2"


@pytest.mark.parametrize("hook", [lambda: 1 / 0, lambda: 3, lambda: ["vault"]])
def test_a_hook_that_fails_or_gives_nonsense_is_told(register: Any, vault: Any, hook: Any) -> None:
    register(secret_schemes=hook)
    with pytest.raises(ProviderError, match="dspy_profiles_secret_schemes"):
        resolve("p")


def test_a_hook_may_give_nothing(register: Any, write: Any) -> None:
    register(secret_schemes=lambda: None, providers=lambda: None, redaction_rules=lambda: None)
    write("profiles.toml", '[p.lm]\nmodel = "some:text"\n')
    assert resolve("p").lm["model"] == "some:text"
    assert "mock" in plugins.providers()


def test_the_last_registered_wins(register: Any) -> None:
    register(providers=lambda: {"mine": "one:Class"})
    register(providers=lambda: {"mine": "two:Class", "mock": "three:Class"})
    found = plugins.providers()
    assert (found["mine"], found["mock"]) == ("two:Class", "three:Class")


def test_the_built_in_ones_use_the_same_hooks() -> None:
    assert {"env", "file", "keyring"} <= set(plugins.secret_schemes())
    assert "mock" in plugins.providers()
    assert {"memory", "file", "sqlite", "postgresql"} <= set(plugins.stores())
    assert plugins.manager() is plugins.manager()


def test_the_rules_of_a_plugin_that_comes_late_count(register: Any) -> None:
    register(redaction_rules=lambda: [r"corp-[0-9a-f]{4}"])
    assert redact("see corp-12ab!") == "see ********!"


def test_what_is_listened_for_follows_the_plugins(register: Any) -> None:
    assert "dspy_profiles_activated" not in plugins.listening
    plugin = register(activated=lambda profile: None)
    assert "dspy_profiles_activated" in plugins.listening
    plugins.manager().unregister(plugin)
    assert "dspy_profiles_activated" not in plugins.listening
    plugins.manager().register(plugin)


def installed(tmp_path: Any, body: Any) -> Any:
    """A folder with an installed distribution that brings one plugin."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dspy_profiles]\nacme = acme_plugin\n")
    (tmp_path / "acme_plugin.py").write_text(body)
    return tmp_path


def run(folder: Any, code: Any) -> Any:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_an_installed_plugin_is_loaded_by_its_entry_point(tmp_path: Any, write: Any) -> None:
    folder = installed(
        tmp_path,
        "from dspy_profiles.plugins import hookimpl\n"
        "@hookimpl\n"
        "def dspy_profiles_secret_schemes():\n"
        "    return {'acme': lambda path: path.upper()}\n"
        "@hookimpl\n"
        "def dspy_profiles_redaction_rules():\n"
        "    return ['acme[0-9]+']\n",
    )
    write("profiles.toml", "[p.lm]\napi_key = 'acme:key'\n")
    told = run(
        folder,
        "from dspy_profiles import resolve\n"
        "from dspy_profiles.profiles import fetch\n"
        "from dspy_profiles.secrets import redact\n"
        "print(fetch(resolve('p'), 'lm')['lm']['api_key'].reveal(), redact('acme12'))",
    )
    assert told.split() == ["KEY", "********"]


def test_a_plugin_that_cannot_be_imported_is_told_each_time(tmp_path: Any) -> None:
    folder = installed(tmp_path, "raise RuntimeError('no licence')\n")
    told = run(
        folder,
        "from dspy_profiles import plugins, ProfileError\n"
        "for _ in range(2):\n"
        "    try: plugins.manager()\n"
        "    except ProfileError as error: print(error.message)\n",
    )
    named = 'plugin "acme" of package acme cannot be loaded'
    assert told.count(f"{named}: RuntimeError: no licence") == 2


def test_a_listener_that_fails_is_named_and_the_settings_are_as_they_were(tmp_path: Any) -> None:
    folder = installed(
        tmp_path,
        "from dspy_profiles.plugins import hookimpl\n"
        "@hookimpl\n"
        "def dspy_profiles_deactivated(profile):\n"
        "    raise RuntimeError('no network')\n",
    )
    told = run(
        folder,
        "from dspy_profiles import profile, current_profile, ProfileError\n"
        "try:\n"
        "    with profile('mock'): pass\n"
        "except ProfileError as error:\n"
        "    print(error.message, repr(error.__cause__), current_profile())\n",
    )
    named = 'plugin "acme" of package acme failed in dspy_profiles_deactivated'
    assert told == f"{named}: RuntimeError: no network RuntimeError('no network') None\n"


def test_one_that_was_registered_by_hand_is_named_by_its_class(register: Any) -> None:
    def activated(profile: Any) -> None:
        raise ValueError("no")

    register(activated=activated)
    with pytest.raises(ProviderError, match='plugin "Plugin" failed'):
        plugins.manager().hook.dspy_profiles_activated(profile=resolve("mock"))
