"""The options of a session: command line, ini file, environment and settings in one."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.config import (
    SESSION_VARIABLE,
    Budgets,
    Settings,
    find_locations,
    is_inside,
    load_settings,
    vouch_for,
)
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidProfile, Place, ProfileError
from dspy_profiles.profiles import Catalog, Choice, Scene, is_forced, is_offline, resolve_choice
from dspy_profiles.run.session import Session
from pytest_dspy_profiles._options import FORCE, OPTIONS

__all__ = ["Named", "SessionConfig", "ini_place", "is_controller"]

BY_SETTING = {option.setting: option for option in OPTIONS}
INI_KEYS = frozenset(option.ini for option in OPTIONS)


def is_controller(config: pytest.Config) -> bool:
    """Return whether the tests run in other processes."""
    return config.pluginmanager.has_plugin("dsession")


def vouch_for_tests(config: pytest.Config, root: Path) -> None:
    """Take it as known that code of the project runs: its tests will, before any profile is used.

    Tests of another folder say nothing about the one that pytest was started in.
    """
    tests = [config.rootpath, *(Path(arg.partition("::")[0]) for arg in config.args)]
    here = config.invocation_params.dir
    if any(is_inside(here / test, root) or is_inside(root, here / test) for test in tests):
        vouch_for(root)
        vouch_for(config.rootpath)


@dataclass(frozen=True)
class Named:
    """Names of profiles, and where they were given; several are a matrix."""

    names: tuple[str, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class SessionConfig:
    """Everything that is settled before the first test is collected."""

    scene: Scene
    named: Named
    overrides: Mapping[str, Any]  # of the `run` around this pytest
    forced: bool
    skips_missing: bool
    live_blocked_by: str | None  # the option or the line of the setting
    allows_live: bool  # on this command line, which counts even before a forced profile
    budgets: Budgets
    report: Path | None
    isolates: bool
    store: str | None  # where the session is recorded

    @property
    def is_held(self) -> bool:
        """Whether a forced profile, if it is offline, blocks live calls."""
        return self.forced and not self.allows_live

    @property
    def held_by(self) -> str | None:
        """The option that blocks live calls of every test: the session's profile is forced."""
        profiles = (
            resolve_choice(self.scene, Choice(name, f"from {self.named.by}"), self.overrides)
            for name in self.named.names
        )
        return FORCE.flag if self.is_held and all(map(is_offline, profiles)) else None

    @property
    def header(self) -> str:
        """The line at the top: what is active, and where it was set."""
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

    @property
    def is_worth_a_header(self) -> bool:
        """Whether something is active that the reader of the output should see."""
        cassettes = self.scene.settings.text("cassettes") != "off"
        others = self.live_blocked_by or self.budgets or self.store
        return bool(self.named.names or cassettes or others)

    def cassette_folder(self, root: Path) -> Path:
        return self.scene.settings.path("cassette-dir") or root / "cassettes"

    @classmethod
    def of(cls, config: pytest.Config) -> "SessionConfig":
        """Read the options. Raises a ProfileError for an invalid file, setting or name."""
        here = config.invocation_params.dir
        locations = find_locations(None if here == Path.cwd() else here)
        vouch_for_tests(config, locations.root)
        ini = {o.setting: str(config.getini(o.ini)) for o in OPTIONS}
        flags = {o.setting: str(config.getoption(o.flag) or "") for o in OPTIONS}
        with ini_place(config):
            settings = load_settings(locations, ini=ini, flags=flags)
        scene = Scene(locations, settings, Catalog.load(locations))
        named = _named(settings)
        forced = bool(config.getoption(FORCE.flag) or config.getini(FORCE.ini)) or is_forced()
        if forced and not named.names:
            raise InvalidProfile(
                f"{FORCE.flag} needs a profile to force", hint="add --dspy-profile mock"
            )
        by = settings.values["budget"].origin
        with ini_place(config, by):
            budgets = Budgets.from_text(settings.text("budget") or "")
            for name in budgets.profiles:
                scene.catalog.get(name, f"in the budget from {by}")
        live = settings.values["live"]
        return cls(
            scene=scene,
            named=named,
            overrides=_overrides_of_run(named),
            forced=forced,
            skips_missing=settings.text("missing-secrets") == "skip",
            live_blocked_by=f"{_shown(live.origin)} block" if live.value == "block" else None,
            allows_live=live.value == "allow" and live.origin.startswith("--"),
            budgets=budgets,
            report=settings.path("report"),
            isolates=settings.text("isolation") == "true",
            store=_store(settings),
        )


def _named(settings: Settings) -> Named:
    """Return the profiles of command line, environment or ini file: never the default profile."""
    value, option = settings.values["default"], BY_SETTING["default"]
    in_environment = os.environ.get(option.env, "")
    text = value.value if value.origin in (option.flag, option.ini) else ""
    by = value.origin
    if in_environment and by != option.flag:
        text, by = in_environment, option.env
    names = tuple(filter(None, map(str.strip, str(text or "").split(","))))
    return Named(tuple(dict.fromkeys(names)), by if names else "")


def _store(settings: Settings) -> str | None:
    """Return the store if pytest's own option or ini key names it; others do not record tests."""
    option = BY_SETTING["store"]
    by = settings.values["store"].origin
    return settings.text("store") if by in (option.flag, option.ini) else None


def _overrides_of_run(named: Named) -> Mapping[str, Any]:
    """Return what `dspy-profiles run --set` changes in the profile that it has exported."""
    text = os.environ.get(SESSION_VARIABLE)
    if not text or not named.by.startswith("DSPY_"):
        return {}
    session = Session.from_text(text)
    return session.overrides if named.names == (session.profile,) else {}


def _shown(origin: str) -> str:
    path, _, line = origin.rpartition(":")
    return f"{Path(path).name}:{line} live =" if line.isdigit() else origin


@contextmanager
def ini_place(config: pytest.Config, origin: str = "") -> Iterator[None]:
    """Give errors about the value of an ini key the place of that key.

    `origin` is the key of the value that the block uses; an error may also name a key as its place.
    """
    try:
        yield
    except ProfileError as error:
        key = origin if error.where is None else str(error.where)
        if key not in INI_KEYS:
            raise
        raise type(error)(error.message, error.hint, _place_of(key, config)) from None


def _place_of(key: str, config: pytest.Config) -> Place | str:
    if any(each.startswith(f"{key}=") for each in config.getoption("override_ini") or ()):
        return f"-o {key}"
    if config.inipath is None:
        return key
    lines = config.inipath.read_text("utf-8", "replace").splitlines()
    is_key = re.compile(rf"\s*{key}\s*[=:]")
    return Place(config.inipath, next((n for n, s in enumerate(lines, 1) if is_key.match(s)), None))
