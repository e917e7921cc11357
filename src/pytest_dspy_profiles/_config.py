"""What this session was asked for: options, ini keys, environment and suite settings in one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import SESSION_VARIABLE, Budgets, Settings, find_locations, load_settings
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.profiles import Catalog, Choice, Scene, is_forced, is_offline, resolve_choice
from dspy_profiles.run.session import Session
from pytest_dspy_profiles._ini import blaming
from pytest_dspy_profiles._options import FORCE, OPTIONS

__all__ = ["Named", "SessionConfig", "is_controller"]


def is_controller(config: pytest.Config) -> bool:
    """Return whether the tests run in other processes."""
    return config.pluginmanager.has_plugin("dsession")


@dataclass(frozen=True)
class Named:
    """Names of profiles, and who gave them; several are a matrix."""

    names: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class SessionConfig:
    """Everything that was settled before the first test was collected."""

    scene: Scene
    named: Named
    overrides: Mapping[str, Any]  # of the `run` around this pytest
    forced: bool
    skips_missing: bool
    live_blocked_by: str | None  # who said so
    allows_live: bool  # said on this command line, which holds against a forced profile, too
    budgets: Budgets
    report: Path | None
    isolates: bool
    store: str | None  # where the session is recorded

    @property
    def is_held(self) -> bool:
        """Whether a forced profile that is offline holds back live calls."""
        return self.forced and not self.allows_live

    @property
    def held_by(self) -> str | None:
        """What holds back the live calls of every test: the forced profile of the session."""
        profiles = (
            resolve_choice(self.scene, Choice(name, f"from {self.named.by}"), self.overrides)
            for name in self.named.names
        )
        return FORCE.flag if self.is_held and all(map(is_offline, profiles)) else None

    @property
    def header(self) -> str:
        """The line at the top: what is in effect, and why."""
        parts = []
        if self.named.names:
            plural = "profiles" if len(self.named.names) > 1 else "profile"
            parts.append(f"{plural} {', '.join(self.named.names)} ({self.named.by})")
        parts += [on_path(layer.path) for layer in self.scene.locations.layers]
        if self.forced:
            parts.append("forced")
        if self.live_blocked_by:
            parts.append("live calls blocked")
        if (mode := self.scene.settings.text("cassettes")) != "off":
            parts.append(f"cassettes {mode}")
        if self.budgets:
            parts.append(f"budget {self.budgets}")
        return " · ".join(parts)

    def cassettes(self, root: Path) -> Path:
        """The folder of the cassettes."""
        return self.scene.settings.path("cassette-dir") or root / "cassettes"

    @property
    def is_worth_telling(self) -> bool:
        """Whether something is in effect that whoever started the session should know of."""
        cassettes = self.scene.settings.text("cassettes") != "off"
        others = self.live_blocked_by or self.budgets or self.store
        return bool(self.named.names or cassettes or others)

    @classmethod
    def of(cls, config: pytest.Config) -> "SessionConfig":
        """Raises a ProfileError for a file, a setting or a name that cannot be."""
        here = config.invocation_params.dir
        found = find_locations(None if here == Path.cwd() else here)
        ini = {o.setting: str(config.getini(o.ini)) for o in OPTIONS}
        flags = {o.setting: str(config.getoption(o.flag) or "") for o in OPTIONS}
        with blaming(config):
            given = load_settings(found, ini=ini, flags=flags)
        scene = Scene(found, given, Catalog.load(found))
        named = _named(given)
        forced = bool(config.getoption(FORCE.flag) or config.getini(FORCE.ini)) or is_forced()
        if forced and not named.names:
            raise InvalidProfile(
                f"{FORCE.flag} needs a profile to force", hint="name one: --dspy-profile mock"
            )
        by = given.values["budget"].origin
        with blaming(config, by):
            budgets = Budgets.from_text(given.text("budget") or "")
            for name in budgets.profiles:
                scene.catalog.get(name, f"in the budget from {by}")
        live = given.values["live"]
        return cls(
            scene=scene,
            named=named,
            overrides=_of_run(named),
            forced=forced,
            skips_missing=given.text("missing-secrets") == "skip",
            live_blocked_by=f"{_flag(live.origin)} block" if live.value == "block" else None,
            allows_live=live.value == "allow" and live.origin.startswith("--"),
            budgets=budgets,
            report=given.path("report"),
            isolates=given.text("isolation") == "true",
            store=_store(given),
        )


def _named(given: Settings) -> Named:
    """From the command line, the environment or the ini file: never the default profile."""
    value = given.values["default"]
    by_pytest = {option.setting: option for option in OPTIONS}["default"]
    in_environment = os.environ.get(by_pytest.env, "")
    text = value.value if value.origin in (by_pytest.flag, by_pytest.ini) else ""
    by = value.origin
    if in_environment and by != by_pytest.flag:
        text, by = in_environment, by_pytest.env
    names = tuple(filter(None, map(str.strip, str(text or "").split(","))))
    return Named(tuple(dict.fromkeys(names)), by if names else "")


def _store(given: Settings) -> str | None:
    """A settings file or the environment says where results are; only pytest's own words record."""
    by_pytest = {option.setting: option for option in OPTIONS}["store"]
    by = given.values["store"].origin
    return given.text("store") if by in (by_pytest.flag, by_pytest.ini) else None


def _of_run(named: Named) -> Mapping[str, Any]:
    """What `dspy-profiles run --set` changes in the profile that it has exported."""
    text = os.environ.get(SESSION_VARIABLE)
    if not text or not named.by.startswith("DSPY_"):
        return {}
    session = Session.from_text(text)
    return session.overrides if named.names == (session.profile,) else {}


def _flag(origin: str) -> str:
    path, _, line = origin.rpartition(":")
    return f"{Path(path).name}:{line} live =" if line.isdigit() else origin
