"""Build LM, RM, adapter and settings from a `ResolvedProfile`, and unwrap its secrets.

Imports DSPy.
"""

import contextlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
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
    "cached_lms",
    "is_built_for",
    "provider_of",
    "reset_engines",
]

OWN_SECTIONS = ("lm", "rm", "adapter")


@dataclass(frozen=True, eq=False)
class Built:
    """A profile's values for `dspy.settings`: only the keys that the profile sets."""

    profile: ResolvedProfile
    values: Mapping[str, Any]
    provider: Provider  # closed when nothing refers to it


def build(profile: ResolvedProfile) -> Built:
    """Build a profile's objects. LMs are reused if nothing changed."""
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
    """Return the LM of a profile, or of one of its roles."""
    provider = provider_of(profile)
    if role is None:
        offered = provider.settings(profile)
        if "lm" in offered:
            return offered["lm"]
        if not profile.lm and not provider.makes_lm:
            raise InvalidProfile(
                f'profile "{profile.name}" has no LM',
                hint=f"add [{profile.name}.lm] with a model",
                where=profile.place(),
            )
        arguments = fetch(profile, "lm", skip=provider.ignores).get("lm", {})
        return _lm(profile, provider, ("lm",), arguments)
    if role not in profile.lms and not provider.answers_any_role:
        raise InvalidProfile(
            f'profile "{profile.name}" has no LM for the role "{role}"',
            hint=did_you_mean(role, profile.lms)
            or f"add [{profile.name}.lms.{role}]; roles: {', '.join(profile.lms) or 'none'}",
            where=profile.place("lms"),
        )

    def skip(key: KeyPath) -> bool:
        return (len(key) > 1 and key[1] != role) or provider.ignores(key)

    arguments = fetch(profile, "lms", skip=skip).get("lms", {}).get(role, {})
    return _lm(profile, provider, ("lms", role), arguments)


def build_embedder(profile: ResolvedProfile) -> Any:
    """Return the embedder of a profile."""
    arguments = fetch(profile, "embedder").get("embedder")
    if not arguments:
        raise InvalidProfile(
            f'profile "{profile.name}" has no embedder',
            hint=f"add [{profile.name}.embedder] with a model",
            where=profile.place(),
        )
    return _kept(
        (profile.name, profile.files, "embedder", content(arguments)),
        lambda: construct(dspy.Embedder, arguments, profile, ("embedder",)),
    )


def cached_lms() -> list[Any]:
    """Return every LM that was built and may be reused."""
    with _lock:
        return [built for built in _objects.values() if isinstance(built, dspy.BaseLM)]


def is_built_for(profile: ResolvedProfile, lm: object) -> bool:
    """Return whether an LM is the profile's own, or one of its roles'."""
    with _lock:
        return any(built is lm and key[0] == profile.name for key, built in _held.items())


def reset_engines() -> None:
    """Reset engines that remember their calls, such as the mock."""
    with _lock:
        engines = [provider.engine for provider in _live_providers.values()]
    for engine in engines:
        if hasattr(engine, "start_afresh"):
            engine.start_afresh()


def provider_of(profile: ResolvedProfile) -> Provider:
    """Return the provider of a profile; it is closed when nothing refers to it."""
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
        options = dict(arguments)
        if "callbacks" in options:
            options["callbacks"] = _callbacks(profile, (*key, "callbacks"), options["callbacks"])
        _refuse_client_settings(profile, provider, key, options)
        cls, more = provider.lm_class()
        options = {**provider.lm_defaults(key), **options, **more}
        if "model" not in options and cls is dspy.LM:
            raise InvalidProfile(
                f'profile "{profile.name}" has no model',
                hint=f'add model = "provider/model" under [{".".join((profile.name, *key))}]',
                where=profile.place(*key),
            )
        return construct(cls, options, profile, key)

    # The key holds the provider, so that the LMs of all roles share its scripted answers. A
    # ProfileProvider does not build the LM, and is closed when its profile goes.
    builder = provider if provider.whole is None else None
    return _kept((profile.name, profile.files, key, builder, content(arguments)), make)


def _refuse_client_settings(
    profile: ResolvedProfile, provider: Provider, key: KeyPath, options: Mapping[str, Any]
) -> None:
    """Raise InvalidProfile for options of a connection: an engine has its own."""
    misplaced = sorted(_dspy.shape().client_keys() & options.keys())
    if provider.engine is not None and misplaced:
        raise InvalidProfile(
            f'profile "{profile.name}": {join_key(key)} sets {", ".join(misplaced)}, '
            f"which the engine {provider.name} does not get",
            hint=f"set options of its connection in [{profile.name}.provider]",
            where=profile.place(*key, misplaced[0]),
        )


def _by_class(
    profile: ResolvedProfile, section: str, arguments: dict[str, Any], default: str | None = None
) -> Any:
    path = arguments.pop("class", default)
    if path is None:
        raise InvalidProfile(
            f'profile "{profile.name}": {section} has no class',
            hint=f'add class = "dspy.JSONAdapter" under [{profile.name}.{section}]',
            where=profile.place(section),
        )
    is_ours = "class" not in profile.values[section]
    cls: Any = import_path(path) if is_ours else _imported(profile, (section, "class"), str(path))
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


def _imported(profile: ResolvedProfile, key: KeyPath, path: str) -> Callable[..., Any]:
    cls = _providers.imported(profile, key, path)
    if not callable(cls):
        raise InvalidProfile(
            f'profile "{profile.name}": "{path}" is not a class', where=profile.place(*key)
        )
    return cls


def _settings(profile: ResolvedProfile, table: Mapping[str, Any]) -> dict[str, Any]:
    defaults = _dspy.own_defaults()
    known = {*(_dspy.base_config() or {}), *defaults}
    values: dict[str, Any] = {}
    for name, value in table.items():
        where = profile.place("settings", name)
        if name in OWN_SECTIONS and isinstance(value, str | Mapping):
            raise InvalidProfile(
                f'profile "{profile.name}": settings.{name} belongs in its own section',
                hint=f"write [{profile.name}.{name}]",
                where=where,
            )
        if name not in known:
            raise InvalidProfile(
                f'profile "{profile.name}": dspy.settings has no key "{name}"',
                hint=ELSEWHERE.get(name) or did_you_mean(name, known),
                where=where,
            )
        if name == "callbacks":
            values[name] = _callbacks(profile, ("settings", name), value)
        elif name == "interpreter_factory" and isinstance(value, str):
            values[name] = _imported(profile, ("settings", name), value)
        elif isinstance(value, Fetched):
            values[name] = as_number(value, type(defaults[name]), profile, ("settings", name))
        else:
            values[name] = value
    return {name: plain(value) for name, value in values.items()}


ELSEWHERE = {"cache_dir": "DSPy reads DSPY_CACHEDIR instead: set it under env"}


def _callbacks(profile: ResolvedProfile, key: KeyPath, value: Any) -> list[Any]:
    """Return callback objects; a file has the import paths of their classes."""
    callbacks = []
    for item in value if isinstance(value, list | tuple) else [value]:
        callback = item
        if isinstance(item, str):
            callback = _providers.imported(profile, key, item)
        is_class = isinstance(callback, type)
        callbacks.append(construct(callback, {}, profile, key) if is_class else callback)
    return callbacks


_lock = ProcessLock()
_objects: OrderedDict[tuple[Hashable, ...], Any] = OrderedDict()
_live_providers: weakref.WeakValueDictionary[Hashable, Provider] = weakref.WeakValueDictionary()
KEPT = 256  # objects; others are built again when needed
# Objects in use elsewhere, which are also reused.
_held: weakref.WeakValueDictionary[tuple[Hashable, ...], Any] = weakref.WeakValueDictionary()


def _kept(key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
    """Return the object built for the same content before, or a new one."""
    with _lock:
        if key not in _objects:
            held = _held.get(key)
            _objects[key] = held if held is not None else make()
            with contextlib.suppress(TypeError):  # a class with slots has no weak references
                _held[key] = _objects[key]
            if len(_objects) > KEPT:
                _objects.popitem(last=False)
        _objects.move_to_end(key)
        return _objects[key]
