"""One plugin manager. Entry points are loaded when somebody first needs a plugin."""

from collections.abc import Mapping, Sequence
from traceback import walk_tb
from types import ModuleType
from typing import Any

import pluggy

from dspy_profiles import hookspecs
from dspy_profiles._locks import ProcessLock
from dspy_profiles.errors import ProfileError, ProviderError
from dspy_profiles.secrets import BUILT_IN_SCHEMES, Fetch, Schemes, add_rule, retold

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
MEND = "mend or uninstall the package that registers it"

hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("dspy_profiles")

_lock = ProcessLock()
_manager: "Manager | None" = None
# The hooks that somebody implements: an activation is too quick to ask the manager each time.
listening: set[str] = set()


class Manager(pluggy.PluginManager):
    """Keeps `listening` up to date, and tells whose hook it was that failed."""

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
        named = next((self._named(impl.plugin, impl.plugin_name) for impl in raised), "a plugin")
        said, cause = retold(error)
        blamed = ProviderError(f"{named} of dspy-profiles fails in {hook}: {said}", hint=MEND)
        blamed.__cause__ = cause
        outcome.force_exception(blamed)

    def _named(self, plugin: object, name: str) -> str:
        """As its package and its entry point call it, or else its class or module."""
        for known, dist in self.list_plugin_distinfo():
            if known is plugin:
                return f'the plugin "{name}" (package {dist.project_name})'
        kind = plugin if isinstance(plugin, type | ModuleType) else type(plugin)
        return f'the plugin "{kind.__name__}"'

    def register(self, plugin: object, name: str | None = None) -> str | None:
        known = super().register(plugin, name)
        self._count()
        for rules in self.hook.dspy_profiles_redaction_rules():
            for rule in rules:
                add_rule(rule)
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
    """The manager, with every installed plugin registered."""
    global _manager  # noqa: PLW0603 - one per process, made at first use
    with _lock:
        if _manager is None:
            made = Manager("dspy_profiles")
            made.add_hookspecs(hookspecs)
            made.register(BuiltIn(), "built-in")
            try:
                made.load_setuptools_entrypoints(GROUP)
                made.check_pending()
            except Exception as error:  # noqa: BLE001 - whatever a plugin's import raises
                said, cause = retold(error)
                raise ProviderError(
                    f"{_not_loaded(made)} of dspy-profiles cannot be loaded: {said}", hint=MEND
                ) from cause
            _manager = made
        return _manager


def _not_loaded(manager: Manager) -> str:
    """The first of the installed plugins that is not there: they are loaded in this order."""
    from importlib.metadata import distributions

    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group == GROUP and manager.get_plugin(point.name) is None:
                return f'the plugin "{point.name}" (package {distribution.metadata["Name"]})'
    return "a plugin"


def providers() -> dict[str, object]:
    """Providers by short name."""
    return _merged("dspy_profiles_providers")


def secret_schemes() -> dict[str, Fetch]:
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
    except ProfileError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin gives what it likes
        said, cause = retold(error)
        raise ProviderError(
            f"a plugin of dspy-profiles fails in {hook}: {said}", hint=MEND
        ) from cause
    return merged
