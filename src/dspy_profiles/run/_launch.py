"""The parent's side of `run`: choose and check the profile, and make the child's environment."""

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.activation import LOCAL_PRICES, prepare
from dspy_profiles.config import PATH_VARIABLE, SESSION_VARIABLE, KeyPath, join_key
from dspy_profiles.errors import Place, PlaintextSecret, ProfileNotFound, ProfileWarning
from dspy_profiles.profiles import (
    FORCE_VARIABLE,
    NAME_VARIABLE,
    NEXT_RELEASE,
    Choice,
    ResolvedProfile,
    Scene,
    choose,
    is_forced,
    is_offline,
)
from dspy_profiles.run.session import Session
from dspy_profiles.secrets import Secret

__all__ = ["Launch", "Recorded", "launch"]

SITE = Path(__file__).parent / "site"


@dataclass(frozen=True)
class Launch:
    """The environment of a child; without a profile if none is active."""

    profile: ResolvedProfile | None
    environ: Mapping[str, str]
    report: Path | None = None  # of refused calls, where calls may be refused: delete it


@dataclass(frozen=True)
class Recorded:
    """The cassette and the experiment of a run, if it has them."""

    cassette: Path | None = None
    mode: str = "none"
    experiment: str | None = None
    folder: Path | None = None  # of its journals


NOTHING = Recorded()


def launch(
    name: str | None,
    file: Path | None,
    overrides: Mapping[str, Any],
    *,
    force: bool,
    recorded: Recorded = NOTHING,
) -> Launch:
    """Resolve the active profile, refuse a bad one, and write it into an environment."""
    scene = Scene.now(file)
    environ = {k: v for k, v in os.environ.items() if k != SESSION_VARIABLE}
    profile, reason, report, held = None, "", None, False
    try:
        choice = _choice(scene, name)
    except ProfileNotFound:
        if force or overrides or recorded.cassette is not None:
            raise
        if recorded.experiment is None:
            return Launch(None, environ)
    else:
        with warnings.catch_warnings():  # the child gives this one, too
            warnings.filterwarnings("ignore", f".*{NEXT_RELEASE}", ProfileWarning)
            ready = prepare(scene, choice, overrides, mode="launch")
        profile, reason, held = ready.profile, choice.reason, ready.held
        _refuse_plaintext(profile)
        # Read again: `.env` files and the profile's [env] have added to it by now.
        environ = dict(os.environ) | _exported(scene, choice, profile, force=force)
        if is_offline(profile):
            environ.setdefault(LOCAL_PRICES, "True")
        if _may_refuse(profile, recorded, force=force or is_forced()):
            from dspy_profiles.run._refusals import new_report  # most programs start without it

            report = new_report()
    environ[SESSION_VARIABLE] = Session(
        cwd=scene.locations.cwd,
        path=environ.get(PATH_VARIABLE),
        named=scene.locations.named_file is not None,
        profile=None if profile is None else profile.name,
        reason=reason,
        overrides=overrides,
        cassette=_text(recorded.cassette and scene.locations.cwd / recorded.cassette),
        mode=recorded.mode,
        experiment=recorded.experiment,
        folder=_text(recorded.folder),
        report=_text(report),
        held=held,
    ).to_text()
    environ["PYTHONPATH"] = _with_our_site(environ.get("PYTHONPATH", ""))
    return Launch(profile, environ, report)


def _may_refuse(profile: ResolvedProfile, recorded: Recorded, *, force: bool) -> bool:
    """Return whether a stage of the session may refuse calls: a cassette, or the guard."""
    replays = recorded.cassette is not None or profile.provider.get("class") == "replay"
    return replays or (force and is_offline(profile))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _refuse_plaintext(profile: ResolvedProfile) -> None:
    """Refuse an override with a plaintext secret: an environment and `ps` show it to others."""
    # What a file holds, the child reads there.
    found = [
        key
        for key, value in _values((), profile.values)
        if isinstance(value, Secret) and not isinstance(profile.place(*key), Place)
    ]
    if found:
        keys = ", ".join(map(join_key, found))
        raise PlaintextSecret(
            f"{keys} is a plaintext secret",
            hint=f"add it to .env and pass a reference: --set '{join_key(found[0])}=${{NAME}}'",
            where="--set",
        )


def _values(key: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _values((*key, name), item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(key, item)
    else:
        yield key, value


def _exported(
    scene: Scene, choice: Choice, profile: ResolvedProfile, *, force: bool
) -> dict[str, str]:
    """Return the variables that programs with profiles read."""
    exported = {NAME_VARIABLE: profile.name}
    path = _file_to_export(scene, choice)
    if path is not None:
        exported[PATH_VARIABLE] = path
    if force:
        exported[FORCE_VARIABLE] = "1"
    return exported


def _choice(scene: Scene, name: str | None) -> Choice:
    # A forced name replaces those in programs; one on our command line begins another session.
    return choose(scene, None) if name is None else Choice(name, "from --profile")


def _file_to_export(scene: Scene, choice: Choice) -> str | None:
    """Return the file that was named, else the one that defines the profile, if any does."""
    named = scene.locations.named_file
    if named is not None:
        return str(named)
    document = scene.catalog.get(choice.name, choice.reason).document
    return None if document is None else str(document.path)


def _with_our_site(search: str) -> str:
    """Return `PYTHONPATH` with our folder in front, and without that of an outer `run`."""
    ours = os.path.join(*SITE.parts[-3:])  # noqa: PTH118 - to compare with texts
    others = [folder for folder in search.split(os.pathsep) if not folder.endswith(ours)]
    return os.pathsep.join([str(SITE), *others] if any(others) else [str(SITE)])
