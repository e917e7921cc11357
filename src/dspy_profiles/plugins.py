"""One plugin manager. Entry points are loaded when somebody first needs a plugin."""

from collections.abc import Mapping
from typing import Any

import pluggy

from dspy_profiles import hookspecs, redaction, secrets
from dspy_profiles.errors import ProviderError
from dspy_profiles.locking import ProcessLock

__all__ = [
    "commands",
    "hookimpl",
    "listening",
    "manager",
    "providers",
    "secret_schemes",
    "stores",
]

hookimpl = pluggy.HookimplMarker("dspy_profiles")

_lock = ProcessLock()
_manager: "Manager | None" = None
# The hooks that somebody implements: an activation is too quick to ask the manager each time.
listening: set[str] = set()


class Manager(pluggy.PluginManager):
    """Keeps `listening` up to date, whenever a plugin comes or goes."""

    def register(self, plugin: object, name: str | None = None) -> str | None:
        known = super().register(plugin, name)
        self._count()
        for rules in self.hook.dspy_profiles_redaction_rules():
            for rule in rules:
                redaction.add_rule(rule)
        return known

    def unregister(self, plugin: object = None, name: str | None = None) -> object:
        gone = super().unregister(plugin, name)
        self._count()
        return gone

    def _count(self) -> None:
        ours = (name for name in vars(hookspecs) if name.startswith("dspy_profiles_"))
        hooks = {name: getattr(self.hook, name, None) for name in ours}
        listening.clear()
        listening.update(name for name, hook in hooks.items() if hook and hook.get_hookimpls())


class BuiltIn:
    """What the suite itself brings, by the same hooks as everybody."""

    @hookimpl
    def dspy_profiles_providers(self) -> Mapping[str, object]:
        return {
            "mock": "dspy_profiles.providers.mock:MockEngine",
            "replay": "dspy_profiles.cassettes.replay:ReplayEngine",
        }

    @hookimpl
    def dspy_profiles_secret_schemes(self) -> secrets.Schemes:
        return secrets.BUILT_IN_SCHEMES

    @hookimpl
    def dspy_profiles_stores(self) -> Mapping[str, str]:
        schemes = ("memory", "file", "sqlite", "postgresql")
        return {name: f"dspy_profiles.results.store.schemes:{name}" for name in schemes}


def manager() -> Manager:
    """The manager, with every installed plugin registered."""
    global _manager  # noqa: PLW0603 - one per process, made at first use
    with _lock:
        if _manager is None:
            made = Manager("dspy_profiles")
            made.add_hookspecs(hookspecs)
            made.register(BuiltIn(), "built-in")
            try:
                made.load_setuptools_entrypoints("dspy_profiles")
                made.check_pending()
            except Exception as error:  # noqa: BLE001 - whatever a plugin's import raises
                said, cause = redaction.retold(error)
                raise ProviderError(
                    f"a plugin of dspy-profiles cannot be loaded: {said}",
                    hint="mend or uninstall the package that registers it",
                ) from cause
            _manager = made
        return _manager


def providers() -> dict[str, object]:
    """Providers by short name."""
    return _merged("dspy_profiles_providers")


def secret_schemes() -> dict[str, secrets.Fetch]:
    """Secret schemes by name."""
    return _merged("dspy_profiles_secret_schemes")


def stores() -> dict[str, Any]:
    """What opens result stores, by scheme: a function, or an import path to one."""
    return _merged("dspy_profiles_stores")


def commands() -> dict[str, Any]:
    """Commands of plugins, by name: a Typer app, a function, or an import path to one."""
    return _merged("dspy_profiles_commands")


def _merged(hook: str) -> dict[str, Any]:
    asked = manager()
    merged: dict[str, Any] = {}
    try:
        for table in getattr(asked.hook, hook)():  # the last registered answers first
            for name, value in table.items():
                merged.setdefault(name, value)
    except Exception as error:  # noqa: BLE001 - a plugin raises and gives what it likes
        said, cause = redaction.retold(error)
        raise ProviderError(
            f"a plugin of dspy-profiles fails in {hook}: {said}",
            hint="mend or uninstall the package that registers it",
        ) from cause
    return merged
