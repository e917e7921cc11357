"""Where a profile's requests go, who said so, and which secrets go along.

A project's file may send a secret of the user's environment to an address of its own: that is
found out here, before anything is sent.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dspy_profiles.config import KeyPath
from dspy_profiles.errors import Place
from dspy_profiles.profiles import ResolvedProfile, references
from dspy_profiles.secrets import Names, Secret, names_in_files, variables_in

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["Route", "Surroundings", "route"]

ADDRESS_KEYS = (
    "api_base",
    "base_url",
    "azure_endpoint",
    "aws_bedrock_runtime_endpoint",
    "endpoint",
)
# What a provider's own variables begin with, where that is not the model's prefix.
PREFIXES = {"bedrock": "AWS", "vertex_ai": "GOOGLE", "together_ai": "TOGETHER"}
WHOLE = re.compile(r"\$\{[^{}]*\}|env:\w+")  # and nothing beside it that could carry more
UNKNOWN_KEY = "whatever key its provider reads"


@dataclass(frozen=True)
class Route:
    """Where requests go; `asks` where the project sends something of the user's there."""

    host: str  # as it is shown: "api.openai.com", "localhost:11434", or words
    url: str | None = None  # scheme and host, where they are known
    set_by: Place | str | None = None  # where the address was written; None: the provider's own
    by_project: bool = False
    sends: tuple[str, ...] = ()  # what goes along: variables, references
    offline: bool = False
    is_known: bool = False  # DSPy itself has a client for the provider

    @property
    def asks(self) -> bool:
        return self.by_project and bool(self.sends) and not self.offline


@dataclass(frozen=True)
class Surroundings:
    """The environment as it was before, and the `.env` files that then added to it."""

    variables: frozenset[str]
    env_files: tuple[Path, ...]
    home_env: Path  # the user's own

    def is_projects(self, name: str) -> bool:
        """Whether a variable that is set may come from a file of the project."""
        if name in self.variables:
            return False
        first = next((f for f in self.env_files if name in names_in_files([f])), None)
        return first != self.home_env  # in no file: some profile's [env] has set it


def route(built: "Built", around: Surroundings, names: Names) -> Route:
    """The way of this profile's requests. Sends nothing."""
    profile, provider = built.profile, built.provider
    if getattr(provider.engine, "offline", False):
        return Route("offline", offline=True)
    lm = built.values.get("lm")
    model = getattr(lm, "model", None)
    known = _known(model) if isinstance(model, str) else None
    own = provider.engine is not None or provider.whole is not None
    found = _written(profile, lm) or (None if own else _from_environment(profile, model, around))
    if found is None:
        if own or provider.lm is not None:
            return Route(f"wherever {provider.name} sends it")
        if known is None or known.url is None:
            return Route(f"the address of {str(model).partition('/')[0]}")
        return Route(known.url.partition("://")[2], known.url, is_known=True)
    text, set_by, by_project = found
    url = _host(text)
    sends = (*_references(profile), *(() if own else _implied(profile, known, model, names)))
    return Route(
        url.partition("://")[2] if url else "an address that cannot be read",
        url,
        set_by,
        by_project,
        tuple(dict.fromkeys(sends)),
        is_known=known is not None,
    )


Found = tuple[str, Place | str, bool]


def _written(profile: ResolvedProfile, lm: object) -> Found | None:
    """The address that the profile itself gives."""
    built = getattr(lm, "kwargs", None)
    for section in ("lm", "provider"):
        table = profile.values.get(section, {})
        for name in ADDRESS_KEYS:
            if name not in table:
                continue
            text = table[name]
            if section == "lm" and isinstance(built, Mapping):
                text = built.get(name, text)  # with its references followed
            origin = profile.origin((section, name))
            return str(text), origin.place, origin.layer != "user"
    return None


def _from_environment(
    profile: ResolvedProfile, model: object, around: Surroundings
) -> Found | None:
    """The address that a variable gives, whoever has set it."""
    prefix = _prefix(model)
    for name in (f"{prefix}_API_BASE", f"{prefix}_BASE_URL", f"{prefix}_OPENAI_ENDPOINT"):
        text = os.environ.get(name)
        if not text:
            continue
        if name in profile.env and name not in around.variables:
            origin = profile.origin(("env", name))
            return text, origin.place, origin.layer != "user"
        return text, name, around.is_projects(name)
    return None


def _references(profile: ResolvedProfile) -> Iterator[str]:
    """What the profile's own lines take from elsewhere, but for an address that is one itself."""
    for key, text in references(profile):
        if key[0] not in ("lm", "provider") or _is_whole_address(key, text):
            continue
        yield from variables_in(text) or [str(text)]
    for key in sorted(profile.secret_keys):
        value: Any = profile.values
        for part in key:
            value = value[part] if isinstance(value, Mapping) else None
        if key[0] in ("lm", "provider") and isinstance(value, Secret):
            yield ".".join(key)


def _is_whole_address(key: KeyPath, text: str) -> bool:
    return key[-1] in ADDRESS_KEYS and WHOLE.fullmatch(text) is not None


def _implied(
    profile: ResolvedProfile, known: "Known | None", model: object, names: Names
) -> Iterable[str]:
    """What DSPy takes along unasked where the profile gives no key."""
    if "api_key" in profile.lm:
        return ()
    prefix = _prefix(model)
    own = [n for n in sorted(os.environ) if n.startswith(f"{prefix}_") and names.is_secret(n)]
    if known is None:
        return own or (UNKNOWN_KEY,)
    if known.has_login:
        return (*own, "your login at its provider")
    return [name for name in dict.fromkeys((*known.variables, *own)) if os.environ.get(name)]


@dataclass(frozen=True)
class Known:
    """What DSPy itself knows of a provider."""

    url: str | None
    variables: tuple[str, ...]
    has_login: bool


def _known(model: str) -> Known | None:
    """What DSPy's own client would do with a model; None: LiteLLM takes it, or nobody."""
    from dspy.lm15 import LMRouter, RouterConfig

    prefix, slash, rest = model.partition("/")
    for spelled in (prefix, prefix.removesuffix("_chat")):
        try:
            bare = LMRouter(RouterConfig(env={}))
            found = bare.resolve_openai_chat(f"{spelled}:{rest}" if slash else model)
            keys = {found.provider: "none"}
            client = LMRouter(RouterConfig(env={}, api_keys=keys)).lm(
                f"{found.provider}:{found.model}"
            )
            return Known(
                _host(str(client.base_url)),
                tuple(client.access.env_keys),
                found.credential_policy != "key",
            )
        except Exception:  # noqa: BLE001, S112 - another DSPy may have none of this
            continue
    return None


def _prefix(model: object) -> str:
    prefix, slash, _ = str(model).partition("/")
    return PREFIXES.get(prefix, prefix.upper().replace("-", "_")) if slash else "OPENAI"


def _host(text: str) -> str | None:
    """Scheme, host and port of an address: whatever else stands in it may be a secret."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or not host.isprintable():
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme or 'http'}://{shown}{f':{port}' if port else ''}"
