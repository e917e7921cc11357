"""The plugin manager. Entry points are loaded when a plugin is first needed."""

from collections.abc import Mapping, Sequence
from traceback import walk_tb
from types import ModuleType
from typing import Any

import pluggy

from dspy_profiles import hookspecs
from dspy_profiles._locks import ProcessLock
from dspy_profiles.errors import ProfileError, ProviderError
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    Fetch,
    Schemes,
    add_redaction_rule,
    redacted_error,
)

__all__ = [
    "commands",
    "hookimpl",
    "listening",
    "manager",
    "providers",
    "secret_schemes",
    "stores",
]

GROUP = "dspy_profiles"
REPAIR = "update or uninstall its package"

hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("dspy_profiles")

_lock = ProcessLock()
_manager: "Manager | None" = None
# The hooks that some plugin implements: asking the manager would slow down each activation.
listening: set[str] = set()


class Manager(pluggy.PluginManager):
    """Plugin manager that keeps `listening` up to date and names the plugin whose hook failed."""

    def __init__(self, project_name: str) -> None:
        super().__init__(project_name)
        self.add_hookcall_monitoring(lambda *_: None, self._blame)

    def _blame(
        self,
        outcome: "pluggy.Result[Any]",
        hook: str,
        impls: Sequence[pluggy.HookImpl],
        _: Mapping[str, Any],
    ) -> None:
        error = outcome.exception
        if not isinstance(error, Exception) or isinstance(error, ProfileError):
            return
        codes = {frame.f_code for frame, _ in walk_tb(error.__traceback__)}
        raised = (impl for impl in impls if getattr(impl.function, "__code__", None) in codes)
        label = next((self._label(impl.plugin) for impl in raised), "a plugin of dspy-profiles")
        message, cause = redacted_error(error)
        failure = ProviderError(f"{label} failed in {hook}: {message}", hint=REPAIR)
        failure.__cause__ = cause
        outcome.force_exception(failure)

    def _label(self, plugin: object) -> str:
        """Return the plugin's entry point and package, or its class or module."""
        for known, dist in self.list_plugin_distinfo():
            if known is plugin:
                return f'plugin "{self.get_name(plugin)}" of package {dist.project_name}'
        kind = plugin if isinstance(plugin, type | ModuleType) else type(plugin)
        return f'plugin "{kind.__name__}"'

    def register(self, plugin: object, name: str | None = None) -> str | None:
        known = super().register(plugin, name)
        self._update_listening()
        for rules in self.hook.dspy_profiles_redaction_rules():
            for rule in rules:
                add_redaction_rule(rule)
        return known

    def unregister(self, plugin: object = None, name: str | None = None) -> object:
        removed = super().unregister(plugin, name)
        self._update_listening()
        return removed

    def _update_listening(self) -> None:
        ours = (name for name in vars(hookspecs) if name.startswith("dspy_profiles_"))
        hooks = {name: getattr(self.hook, name, None) for name in ours}
        listening.clear()
        listening.update(name for name, hook in hooks.items() if hook and hook.get_hookimpls())


class BuiltIn:
    """The built-in providers, schemes and stores, registered by the same hooks as plugins."""

    @hookimpl
    def dspy_profiles_providers(self) -> Mapping[str, object]:
        return {
            "mock": "dspy_profiles.objects.engines.mock._engine:MockEngine",
            "replay": "dspy_profiles.calls.cassettes._engine:ReplayEngine",
        }

    @hookimpl
    def dspy_profiles_secret_schemes(self) -> Schemes:
        return BUILT_IN_SCHEMES

    @hookimpl
    def dspy_profiles_stores(self) -> Mapping[str, str]:
        schemes = ("memory", "file", "sqlite", "postgresql")
        return {name: f"dspy_profiles.results.store._schemes:{name}" for name in schemes}


def manager() -> Manager:
    """Return the manager, with every installed plugin registered."""
    global _manager  # noqa: PLW0603 - one per process, created at first use
    with _lock:
        if _manager is None:
            created = Manager("dspy_profiles")
            created.add_hookspecs(hookspecs)
            created.register(BuiltIn(), "built-in")
            try:
                created.load_setuptools_entrypoints(GROUP)
                created.check_pending()
            except Exception as error:  # noqa: BLE001 - a plugin's import can raise anything
                message, cause = redacted_error(error)
                raise ProviderError(
                    f"{_not_loaded(created)} cannot be loaded: {message}", hint=REPAIR
                ) from cause
            _manager = created
        return _manager


def _not_loaded(manager: Manager) -> str:
    """Return the first installed plugin that is not registered: pluggy loads them in this order."""
    from importlib.metadata import distributions

    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group == GROUP and manager.get_plugin(point.name) is None:
                return f'plugin "{point.name}" of package {distribution.metadata["Name"]}'
    return "a plugin of dspy-profiles"


def providers() -> dict[str, object]:
    """Return providers by short name."""
    return _merged("dspy_profiles_providers")


def secret_schemes() -> dict[str, Fetch]:
    """Return secret schemes by name."""
    return _merged("dspy_profiles_secret_schemes")


def stores() -> dict[str, Any]:
    """Return functions that open stores of results, or their import paths, by scheme."""
    return _merged("dspy_profiles_stores")


def commands() -> dict[str, Any]:
    """Return commands of plugins by name: a Typer app, a function, or the import path of one."""
    return _merged("dspy_profiles_commands")


def _merged(hook: str) -> dict[str, Any]:
    plugins = manager()
    merged: dict[str, Any] = {}
    try:
        for table in getattr(plugins.hook, hook)():  # the last registered plugin comes first
            for name, value in table.items():
                merged.setdefault(name, value)
    except ProfileError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin can return anything
        message, cause = redacted_error(error)
        raise ProviderError(
            f"a plugin of dspy-profiles failed in {hook}: {message}", hint=REPAIR
        ) from cause
    return merged
