"""A profile, ready to be activated; made anew when what it was made from has changed."""

import contextlib
import os
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dspy_profiles import plugins, schema
from dspy_profiles._locks import ProcessLock
from dspy_profiles.activation._watch import Watch
from dspy_profiles.config import SETTINGS, VARIABLES, KeyPath
from dspy_profiles.errors import (
    InvalidFile,
    InvalidProfile,
    ProfileError,
    ProfileNotFound,
    ProfileWarning,
)
from dspy_profiles.objects import content, make_importable
from dspy_profiles.profiles import (
    ACTIVE,
    CLIENT_KEYS,
    FORCE_VARIABLE,
    NAME_VARIABLE,
    Choice,
    ResolvedProfile,
    Scene,
    check_name,
    choose,
    is_forced,
    is_offline,
    overridden,
    references,
    refuse_missing,
    resolve_choice,
    secret_files,
    set_variables,
)
from dspy_profiles.secrets import load_env_files, remember_secrets, variables_in

if TYPE_CHECKING:
    from dspy_profiles.calls import Stage
    from dspy_profiles.objects import Built

__all__ = ["Prepared", "prepare", "prepared", "set_session", "watch_of"]

KEPT = 512  # names with their overrides; one that falls out is only made again


@dataclass(eq=False)
class Prepared:
    """A resolved profile and, once somebody needs them, its objects."""

    profile: ResolvedProfile
    is_default: bool
    watch: Watch
    above: "Prepared | None" = None  # the session's, that this one only adds overrides to
    told: str | None = None  # the fault in a newer state of the file that its user knows of

    # Made by `build`, under the one lock of this module: functools.cached_property of Python 3.11
    # has a lock of its own, which a fork would leave closed in the child.
    built: "Built | None" = None
    provider: object = None  # what lm() needs of it, held so that it is not closed meanwhile
    values: Mapping[str, Any] = field(default_factory=dict)  # callbacks add up, and stand apart
    callbacks: tuple[Any, ...] = ()
    guard: "Stage | None" = None  # around the blocks of a profile that is forced and offline

    def build(self) -> None:
        refuse_missing(self.profile, skip=_is_not_needed(self.profile))
        from dspy_profiles.objects import build  # the first activation imports DSPy

        built = build(self.profile)
        plugins.manager().hook.dspy_profiles_loaded(profile=self.profile)
        ours = {k: v for k, v in built.values.items() if k != "callbacks"}
        self.callbacks = tuple(built.values.get("callbacks", ()))
        self.values = {**ours, ACTIVE: self.profile}
        if "lm" in ours:
            _watch_for_pinned()
        if is_forced() and is_offline(self.profile):
            self.guard = _guard()
        self.built = built  # last: others look at it without the lock


def _guard() -> "Stage":
    from dspy_profiles.calls import FORCED, Guard, install

    install()
    return Guard("this program", f"{FORCE_VARIABLE} with an offline profile", FORCED)


def _watch_for_pinned() -> None:
    from dspy_profiles.activation._own_lm_warning import warn_about_own_lm
    from dspy_profiles.calls import watch

    with contextlib.suppress(ProfileError):  # another DSPy than we know: only a word is lost
        watch(warn_about_own_lm)


_lock = ProcessLock()
_ready: OrderedDict[Hashable, Prepared] = OrderedDict()
_session: Prepared | None = None
_session_name: str | None = None  # what the environment named when it was pinned


def set_session(pinned: Prepared | None) -> None:
    """What a forced name, and none at all, come down to while a session is pinned."""
    global _session, _session_name  # noqa: PLW0603 - a session is a fact of the process
    if pinned is not None and _session is None:
        _session_name = os.environ.get(NAME_VARIABLE)
    _session = pinned


def prepared(name: str | None, overrides: Mapping[str, Any], *, build: bool = True) -> Prepared:
    """The profile, as good as its files are now. Quick when nothing has changed."""
    if _session is not None and (found := _of_session(_session, name, overrides)) is not None:
        return found
    key: Hashable = (name, content(overrides)) if overrides else name
    try:
        ready = _ready.get(key)
    except TypeError:  # a list, or the like
        check_name(name)
        raise
    if ready is not None and ready.watch.is_fresh() and (not build or ready.built is not None):
        return ready
    with _lock:
        return _renewed(key, name, overrides, build=build)


def _of_session(
    session: Prepared, name: str | None, overrides: Mapping[str, Any]
) -> Prepared | None:
    """The session's profile, if that is what is meant."""
    if is_forced():
        return session
    if name is not None or os.environ.get(NAME_VARIABLE) != _session_name:
        return None
    if not overrides:
        return session
    key: Hashable = (session.profile.name, id(session), content(overrides))
    with _lock:
        made = _ready.get(key)
        if made is None or made.above is not session:
            profile = overridden(session.profile, overrides)
            made = Prepared(profile, is_default=False, watch=session.watch, above=session)
            _keep(key, made)
        if made.built is None:
            made.build()
        return made


def _renewed(
    key: Hashable, name: str | None, overrides: Mapping[str, Any], *, build: bool
) -> Prepared:
    last = _ready.get(key)
    if last is not None and last.watch.is_fresh():
        made = last  # another thread was quicker, or it only has to be built
    else:
        try:
            made = _prepare(name, overrides, build=build)
        except ProfileNotFound:
            made = _once_written(last, name, overrides, build=build)
        except (InvalidFile, InvalidProfile) as error:
            made = _last_good(last, error)
            if made.built is not None or not build:
                return made
    if build and made.built is None:
        try:
            made.build()
        except InvalidProfile as error:
            return _last_good(last if last is not made and last and last.built else None, error)
    _keep(key, made)
    return made


def _keep(key: Hashable, made: Prepared) -> None:
    _ready[key] = made
    _ready.move_to_end(key)
    if len(_ready) > KEPT:
        _ready.popitem(last=False)


def _prepare(name: str | None, overrides: Mapping[str, Any], *, build: bool) -> Prepared:
    scene = Scene.now()
    choice = choose(scene, name)
    return prepare(scene, choice, {} if is_forced() else overrides, build=build)


def prepare(scene: Scene, choice: Choice, overrides: Mapping[str, Any], *, build: bool) -> Prepared:
    """Make a profile ready that is chosen already, and keep nothing of it."""
    load_env_files(scene.env_files)
    profile = resolve_choice(scene, choice, overrides)
    _check(profile)
    if build:
        refuse_missing(profile, skip=_is_not_needed(profile))
    watch = watch_of(profile, scene)
    set_variables(profile)
    remember_secrets(scene.names)
    make_importable((scene.locations.cwd, scene.locations.root))
    return Prepared(profile, choice.is_default, watch)


def _is_not_needed(profile: ResolvedProfile) -> Callable[[KeyPath], bool]:
    """What a block can do without. Whether a provider needs a connection is for `build` to say."""

    def skip(key: KeyPath) -> bool:
        if key[0] in ("lms", "embedder"):
            return True
        return key[0] == "lm" and key[-1] in CLIENT_KEYS and bool(profile.provider)

    return skip


def watch_of(profile: ResolvedProfile, scene: Scene) -> Watch:
    """Everything that, once changed, may make another profile of this one."""
    texts = [text for _, text in references(profile)]
    return Watch(
        scene.locations,
        variables=(
            *VARIABLES,
            NAME_VARIABLE,
            FORCE_VARIABLE,
            *(setting.env for setting in SETTINGS),
            *(name for text in texts for name in variables_in(text)),
        ),
        documents=scene.catalog.documents_behind((profile.name, *profile.parents)),
        others=(
            *scene.env_files,
            *scene.settings.files,
            *secret_files(profile),
        ),
    )


def _check(profile: ResolvedProfile) -> None:
    """Refuse what DSPy would take without a word, and fail on later: `temperature = "hot"`."""
    schemes = plugins.secret_schemes()
    found = schema.check(profile, schema.descriptor(), schemes=schemes)
    faults = [fault for fault in found if fault.severity == "error"]
    if faults:
        first, *more = faults
        others = f" (and {len(more)} more faults)" if more else ""
        raise InvalidProfile(
            f'profile "{profile.name}": {first.message}{others}', first.hint, first.where
        )


def _once_written(
    last: Prepared | None, name: str | None, overrides: Mapping[str, Any], *, build: bool
) -> Prepared:
    """An editor that writes in place empties the file first: look again before believing it."""
    for _ in range(10 if last is not None else 0):
        time.sleep(0.005)
        try:
            return _prepare(name, overrides, build=build)
        except ProfileNotFound:
            continue
        except (InvalidFile, InvalidProfile) as error:
            return _last_good(last, error)
    return _prepare(name, overrides, build=build)


def _last_good(last: Prepared | None, error: InvalidFile | InvalidProfile) -> Prepared:
    """A server goes on while somebody edits its profiles; it says so, once for each edit."""
    if last is None:
        raise error
    if last.told != str(error):
        last.told = str(error)
        warnings.warn(
            f'profile "{last.profile.name}" stays as it was, because it cannot be read anew: '
            f"{error}",
            ProfileWarning,
            stacklevel=5,
        )
    with contextlib.suppress(InvalidFile):
        last.watch.hold()
    return last
