"""From a `ResolvedProfile` to live objects: LM, RM, adapter, settings. Secrets are unwrapped here.

Importing this imports DSPy.
"""

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles._locks import ProcessLock
from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, did_you_mean
from dspy_profiles.objects import _providers
from dspy_profiles.objects._construct import as_number, construct, plain
from dspy_profiles.objects._content import content
from dspy_profiles.objects._imports import import_path
from dspy_profiles.objects._providers import Provider
from dspy_profiles.profiles import Fetched, ResolvedProfile, fetch

__all__ = [
    "Built",
    "build",
    "build_embedder",
    "build_lm",
    "is_built_for",
    "kept_lms",
    "provider_of",
    "start_engines_afresh",
]

OWN_SECTIONS = ("lm", "rm", "adapter")


@dataclass(frozen=True, eq=False)
class Built:
    """A profile's settings as DSPy takes them; only the keys that the profile sets."""

    profile: ResolvedProfile
    values: Mapping[str, Any]
    provider: Provider  # lives as long as something is built by it


def build(profile: ResolvedProfile) -> Built:
    """Make what a profile describes. LM objects are those of last time where nothing changed."""
    provider = provider_of(profile)
    sections = fetch(profile, "lm", "rm", "adapter", "settings", skip=provider.ignores)
    values = _settings(profile, sections.get("settings", {}))
    offered = provider.settings(profile)
    values.update(offered)
    if "lm" not in offered and ("lm" in sections or provider.makes_lm):
        values["lm"] = _lm(profile, provider, ("lm",), sections.get("lm", {}))
    if "rm" in sections:
        values["rm"] = _by_class(profile, "rm", sections["rm"], default="dspy.ColBERTv2")
    if "adapter" in sections:
        values["adapter"] = _by_class(profile, "adapter", sections["adapter"])
    return Built(profile, values, provider)


def build_lm(profile: ResolvedProfile, role: str | None = None) -> Any:
    """The LM of a profile, or the one that it has for a role."""
    provider = provider_of(profile)
    if role is None:
        offered = provider.settings(profile)
        if "lm" in offered:
            return offered["lm"]
        if not profile.lm and not provider.makes_lm:
            raise InvalidProfile(
                f'profile "{profile.name}" has no LM',
                hint=f"write [{profile.name}.lm] with a model",
                where=profile.place(),
            )
        arguments = fetch(profile, "lm", skip=provider.ignores).get("lm", {})
        return _lm(profile, provider, ("lm",), arguments)
    if role not in profile.lms and not provider.answers_any_role:
        raise InvalidProfile(
            f'profile "{profile.name}" has no LM for the role "{role}"',
            hint=did_you_mean(role, profile.lms)
            or f"roles are {', '.join(profile.lms) or 'none'}; write [{profile.name}.lms.{role}]",
            where=profile.place("lms"),
        )

    def skip(key: KeyPath) -> bool:
        return (len(key) > 1 and key[1] != role) or provider.ignores(key)

    arguments = fetch(profile, "lms", skip=skip).get("lms", {}).get(role, {})
    return _lm(profile, provider, ("lms", role), arguments)


def build_embedder(profile: ResolvedProfile) -> Any:
    """The embedder of a profile."""
    arguments = fetch(profile, "embedder").get("embedder")
    if not arguments:
        raise InvalidProfile(
            f'profile "{profile.name}" has no embedder',
            hint=f"write [{profile.name}.embedder] with a model",
            where=profile.place(),
        )
    return _kept(
        (profile.name, profile.files, "embedder", content(arguments)),
        lambda: construct(dspy.Embedder, arguments, profile, ("embedder",)),
    )


def kept_lms() -> list[Any]:
    """Every LM that was built and may be handed out again."""
    with _lock:
        return [made for made in _objects.values() if isinstance(made, dspy.BaseLM)]


def is_built_for(profile: ResolvedProfile, lm: object) -> bool:
    """Whether an LM is the profile's own, or one of its roles'."""
    with _lock:
        return any(made is lm and key[0] == profile.name for key, made in _held.items())


def start_engines_afresh() -> None:
    """Have engines that remember what they were told, as the mock does, begin anew."""
    with _lock:
        engines = [provider.engine for provider in _live_providers.values()]
    for engine in engines:
        if hasattr(engine, "start_afresh"):
            engine.start_afresh()


def provider_of(profile: ResolvedProfile) -> Provider:
    """The provider of a profile; it is closed once nobody holds it."""
    if "provider" not in profile.values:
        return _providers.NONE
    arguments = fetch(profile, "provider")["provider"]
    name = arguments.pop("class", None)
    key = (profile.name, profile.files, name, content(arguments))
    with _lock:
        provider = _live_providers.get(key)
        if provider is None:
            provider = _live_providers[key] = _providers.make(profile, name, arguments)
        return provider


def _lm(
    profile: ResolvedProfile, provider: Provider, key: KeyPath, arguments: dict[str, Any]
) -> Any:
    def make() -> Any:
        given = dict(arguments)
        if "callbacks" in given:
            given["callbacks"] = _callbacks(profile, (*key, "callbacks"), given["callbacks"])
        _refuse_client_settings(profile, provider, key, given)
        cls, more = provider.lm_class()
        given = {**provider.lm_defaults(key), **given, **more}
        if "model" not in given and cls is dspy.LM:
            raise InvalidProfile(
                f'profile "{profile.name}" names no model',
                hint=f'write model = "provider/model" under [{".".join((profile.name, *key))}]',
                where=profile.place(*key),
            )
        return construct(cls, given, profile, key)

    # The provider is kept with the LM: what one role's LM is told to answer, the others' know.
    # A ProfileProvider has no part in the LM, and is to be closed when its profile goes.
    made_by = provider if provider.whole is None else None
    kept = (profile.name, profile.files, key, made_by, content(arguments))
    return _kept(kept, make)


def _refuse_client_settings(
    profile: ResolvedProfile, provider: Provider, key: KeyPath, given: Mapping[str, Any]
) -> None:
    """An engine has a connection of its own, and DSPy hands it nothing of one."""
    misplaced = sorted(_dspy.client_keys() & given.keys())
    if provider.engine is not None and misplaced:
        raise InvalidProfile(
            f'{", ".join(misplaced)} in {join_key(key)} of "{profile.name}" cannot reach '
            f"the engine {provider.name}",
            hint=f"write what configures its connection under [{profile.name}.provider]",
            where=profile.place(*key, misplaced[0]),
        )


def _by_class(
    profile: ResolvedProfile, section: str, arguments: dict[str, Any], default: str | None = None
) -> Any:
    path = arguments.pop("class", default)
    if path is None:
        raise InvalidProfile(
            f'{section} of "{profile.name}" names no class',
            hint=f'write class = "dspy.JSONAdapter" under [{profile.name}.{section}]',
            where=profile.place(section),
        )
    cls = _imported(profile, section, str(path))
    if "callbacks" in arguments:
        arguments["callbacks"] = _callbacks(profile, (section, "callbacks"), arguments["callbacks"])

    def convert(_name: str, value: object, kind: object) -> object:
        wanted = isinstance(kind, type) and issubclass(kind, dspy.BaseLM)
        return build_lm(profile, value) if wanted and isinstance(value, str) else value

    if _wants_lm(cls, arguments):
        arguments["extraction_model"] = build_lm(profile)
    return construct(cls, arguments, profile, (section,), convert)


def _wants_lm(cls: object, arguments: Mapping[str, Any]) -> bool:
    return cls is dspy.TwoStepAdapter and "extraction_model" not in arguments


def _imported(profile: ResolvedProfile, section: str, path: str) -> Callable[..., Any]:
    found = _providers.placed(profile, (section, "class"), partial(import_path, path))
    if not callable(found):
        raise InvalidProfile(
            f'"{path}" of "{profile.name}" is not a class',
            where=profile.place(section, "class"),
        )
    return found


def _settings(profile: ResolvedProfile, given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = _dspy.own_defaults()
    known = {*(_dspy.base_config() or {}), *defaults}
    values: dict[str, Any] = {}
    for name, value in given.items():
        where = profile.place("settings", name)
        if name in OWN_SECTIONS and isinstance(value, str | Mapping):
            raise InvalidProfile(
                f'settings.{name} of "{profile.name}" belongs in a section of its own',
                hint=f"write [{profile.name}.{name}]",
                where=where,
            )
        if name not in known:
            raise InvalidProfile(
                f'dspy.settings has no key "{name}", given in "{profile.name}"',
                hint=ELSEWHERE.get(name) or did_you_mean(name, known),
                where=where,
            )
        if name == "callbacks":
            values[name] = _callbacks(profile, ("settings", name), value)
        elif name == "interpreter_factory" and isinstance(value, str):
            values[name] = _imported(profile, "settings", value)
        elif isinstance(value, Fetched):
            values[name] = as_number(value, type(defaults[name]), profile, ("settings", name))
        else:
            values[name] = value
    return {name: plain(value) for name, value in values.items()}


ELSEWHERE = {"cache_dir": "DSPy takes it from the environment: write DSPY_CACHEDIR under env"}


def _callbacks(profile: ResolvedProfile, key: KeyPath, given: Any) -> list[Any]:
    """Callbacks are objects in Python, and import paths of classes in a file."""
    made = []
    for item in given if isinstance(given, list | tuple) else [given]:
        found = item
        if isinstance(item, str):
            found = _providers.placed(profile, key, partial(import_path, item))
        made.append(construct(found, {}, profile, key) if isinstance(found, type) else found)
    return made


_lock = ProcessLock()
_objects: OrderedDict[tuple[Hashable, ...], Any] = OrderedDict()
_live_providers: weakref.WeakValueDictionary[Hashable, Provider] = weakref.WeakValueDictionary()
KEPT = 256  # objects; one that falls out is only made again
# What somebody still holds is the same object for as long as he does.
_held: weakref.WeakValueDictionary[tuple[Hashable, ...], Any] = weakref.WeakValueDictionary()


def _kept(key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
    """The object that was made for the same content before, else a new one."""
    with _lock:
        if key not in _objects:
            found = _held.get(key)
            _objects[key] = found if found is not None else make()
            with contextlib.suppress(TypeError):  # a class with slots, which takes no weak ones
                _held[key] = _objects[key]
            if len(_objects) > KEPT:
                _objects.popitem(last=False)
        _objects.move_to_end(key)
        return _objects[key]
