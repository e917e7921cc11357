"""The one sequence that makes a profile ready: for blocks, sessions, `run`, IPython and doctor."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dspy_profiles import schema
from dspy_profiles.activation._watch import Watch
from dspy_profiles.config import LOCATION_VARIABLES, SETTINGS, Action, KeyPath
from dspy_profiles.errors import InvalidProfile, ProfileError
from dspy_profiles.objects import make_importable
from dspy_profiles.profiles import (
    ACTIVE,
    CLIENT_KEYS,
    FORCE_VARIABLE,
    NAME_VARIABLE,
    Choice,
    ResolvedProfile,
    Scene,
    check_references,
    demand_trust,
    is_forced,
    is_offline,
    override,
    references,
    report_shadow,
    resolve_choice,
    secret_files,
    set_variables,
)
from dspy_profiles.schema import Finding
from dspy_profiles.secrets import remember_environment, variables_in

if TYPE_CHECKING:
    from dspy_profiles.calls import Stage
    from dspy_profiles.objects import Built

__all__ = ["LOCAL_PRICES", "NO_CALLS", "Mode", "Prepared", "findings", "prepare"]

# "read": the profile is sound. "launch": its secrets exist, too. "check": its objects are made, and
# call nobody. "build": they are made to be called.
Mode = Literal["read", "launch", "check", "build"]
NO_CALLS: tuple[Action, ...] = ("import", "start", "read", "write")

LOCAL_PRICES = "LITELLM_LOCAL_MODEL_COST_MAP"
# These are built when a program asks for them, and need their secrets then.
ON_DEMAND = frozenset({"lms", "embedder"})


@dataclass(eq=False)
class Prepared:
    """A resolved profile and, once built, its objects."""

    profile: ResolvedProfile
    is_default: bool
    watch: Watch
    above: "Prepared | None" = None  # the session's, if this one only adds overrides to it
    held: bool = False  # whether variables wait for a process that may set them
    reported: str | None = None  # the error in a newer state of the file, once warned about

    # Set by `build`, under the cache's lock. functools.cached_property of Python 3.11 has a lock
    # of its own, which a fork would leave closed in the child.
    built: "Built | None" = None
    provider: object = None  # what lm() needs of it, held so that it is not closed meanwhile
    values: Mapping[str, Any] = field(default_factory=dict)  # without callbacks, which add up
    callbacks: tuple[Any, ...] = ()
    guard: "Stage | None" = None  # around the blocks of a profile that is forced and offline

    def build(self, actions: Sequence[Action] | None = None) -> None:
        """Make the profile's objects, if its files may do these actions, by default any.

        The first call in a process imports DSPy.
        """
        demand_trust(self.profile, actions)
        check_references(self.profile, skip=_not_needed(self.profile))
        if is_offline(self.profile):  # LiteLLM fetches them as it is imported, if nobody says no
            os.environ.setdefault(LOCAL_PRICES, "True")
        from dspy_profiles.objects import build

        built = build(self.profile)
        from dspy_profiles import plugins

        plugins.manager().hook.dspy_profiles_loaded(profile=self.profile)
        ours = {k: v for k, v in built.values.items() if k != "callbacks"}
        self.callbacks = tuple(built.values.get("callbacks", ()))
        self.values = {**ours, ACTIVE: self.profile}
        if "lm" in ours:
            _watch_for_own_lms()
        if is_forced() and is_offline(self.profile):
            self.guard = _guard()
        self.built = built  # last: other threads look at it without the lock


def prepare(
    scene: Scene,
    choice: Choice | ResolvedProfile,
    overrides: Mapping[str, Any],
    mode: Mode = "build",
) -> Prepared:
    """Make a chosen profile ready. Nothing is kept: `ProfileCache` does that for blocks.

    One that is resolved already, here or in another process, gets its secrets from this process.
    Raises an error of ours if a file, a value or a secret is wrong. Imports DSPy in mode "build"
    only.
    """
    held: list[str] | None = [] if mode == "launch" else None  # for the process that builds
    scene.load_env(held)
    if isinstance(choice, ResolvedProfile):
        profile = override(choice, overrides) if overrides else choice
    else:
        profile = resolve_choice(scene, choice, overrides)
    _refuse(profile, findings(profile, scene))
    if mode in ("check", "build"):
        report_shadow(scene, profile)
    actions = NO_CALLS if mode == "check" else None
    if mode in ("check", "build"):
        demand_trust(profile, actions)  # before anything else is done for it
    if mode != "read":
        check_references(profile, skip=_not_needed(profile), patient=held is not None)
    names = () if isinstance(choice, ResolvedProfile) else (profile.name, *profile.parents)
    watch = _watch(profile, scene, names)
    set_variables(profile, held)
    remember_environment(scene.names)
    if held is None:
        make_importable(scene.locations)
    is_default = isinstance(choice, Choice) and choice.is_default
    ready = Prepared(profile, is_default, watch, held=bool(held))
    if mode in ("check", "build"):
        ready.build(actions)
    return ready


def findings(profile: ResolvedProfile, scene: Scene) -> list[Finding]:
    """Return what is wrong with a profile's values, as far as DSPy's source tells."""
    search = (scene.locations.cwd, scene.locations.root)
    found = schema.check(profile, schema.descriptor(), search=search)
    if any(finding.severity == "error" for finding in found):
        # Plugins may bring the scheme that a reference uses; loading them is only worth it here.
        from dspy_profiles import plugins

        schemes = plugins.secret_schemes()
        found = schema.check(profile, schema.descriptor(), search=search, schemes=schemes)
    return found


def _refuse(profile: ResolvedProfile, found: list[Finding]) -> None:
    """Refuse what DSPy would accept silently, and fail on later: `temperature = "hot"`."""
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        first, *more = errors
        others = "".join(f"\n  and {error.message} at {error.where}" for error in more)
        raise InvalidProfile(
            f'profile "{profile.name}": {first.message}{others}', first.hint, first.where
        )


def _not_needed(profile: ResolvedProfile) -> Callable[[KeyPath], bool]:
    """Return which keys need no secret yet.

    A provider of the profile's own may ignore the client's settings: that is known once its class
    is imported, so `build` refuses what is missing then.
    """

    def skip(key: KeyPath) -> bool:
        if key[0] in ON_DEMAND:
            return True
        return key[0] == "lm" and key[-1] in CLIENT_KEYS and bool(profile.provider)

    return skip


def _watch(profile: ResolvedProfile, scene: Scene, names: tuple[str, ...]) -> Watch:
    """Watch everything that, once changed, may make another profile of this one.

    `names` are the profiles that its values come from; none if it stays as it was resolved.
    """
    texts = [text for _, text in references(profile)]
    return Watch(
        scene.locations,
        variables=(
            *LOCATION_VARIABLES,
            NAME_VARIABLE,
            FORCE_VARIABLE,
            *(setting.env for setting in SETTINGS),
            *(name for text in texts for name in variables_in(text)),
        ),
        documents=scene.catalog.documents_behind(names) if names else (),
        others=(
            *scene.env_files,
            *scene.settings.files,
            *secret_files(profile),
        ),
    )


def _guard() -> "Stage":
    from dspy_profiles.calls import FORCED, Guard, install

    install()
    return Guard("this program", f"{FORCE_VARIABLE} with an offline profile", FORCED)


def _watch_for_own_lms() -> None:
    from dspy_profiles.activation._own_lm_warning import warn_about_own_lm
    from dspy_profiles.calls import watch

    with contextlib.suppress(ProfileError):  # another DSPy than we know: only a warning is lost
        watch(warn_about_own_lm)
