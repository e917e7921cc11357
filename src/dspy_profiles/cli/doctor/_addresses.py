"""Where a profile's requests go, what sets the address, and which secrets are sent.

A project's file may send a secret of the user's environment to an address of its choice. This is
detected before anything is sent.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dspy_profiles.config import KeyPath, may
from dspy_profiles.errors import Place
from dspy_profiles.profiles import ResolvedProfile, references
from dspy_profiles.secrets import Names, Secret, variables_in

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["Route", "route"]

ADDRESS_KEYS = (
    "api_base",
    "base_url",
    "azure_endpoint",
    "aws_bedrock_runtime_endpoint",
    "endpoint",
)
# Prefixes of providers' variables that differ from the model's prefix.
PREFIXES = {"bedrock": "AWS", "vertex_ai": "GOOGLE", "together_ai": "TOGETHER"}
WHOLE = re.compile(r"\$\{[^{}]*\}|env:\w+")  # with no text environment it
UNKNOWN_KEY = "the key that its provider reads"


@dataclass(frozen=True)
class Route:
    """Where requests go; `asks` if the project's file sends the user's secrets there."""

    host: str  # "api.openai.com", "localhost:11434", or a description
    url: str | None = None  # scheme and host, if known
    set_by: Place | str | None = None  # the address's origin; None: the provider's default
    by_project: bool = False
    sends: tuple[str, ...] = ()  # variables and references
    offline: bool = False
    is_known: bool = False  # DSPy itself has a client for the provider

    @property
    def asks(self) -> bool:
        return self.by_project and bool(self.sends) and not self.offline


def route(built: "Built", names: Names) -> Route:
    """Return where a profile's requests go. Sends nothing."""
    profile, provider = built.profile, built.provider
    from dspy_profiles import _dspy  # imports DSPy

    lm = built.values.get("lm")
    if _dspy.shape().is_offline(lm):
        return Route("offline", offline=True)
    model = getattr(lm, "model", None)
    known = _known(model) if isinstance(model, str) else None
    own = provider.engine is not None or provider.whole is not None
    address = _of_profile(profile, lm)
    if address is None and not own:
        address = _of_environment(profile, model)
    if address is None:
        if own or provider.lm is not None:
            return Route(f"an address that {provider.name} chooses")
        if known is None or known.url is None:
            return Route(f"the default address of {str(model).partition('/')[0]}")
        return Route(known.url.partition("://")[2], known.url, is_known=True)
    text, set_by, by_project = address
    url = _host(text)
    sends = (*_references(profile), *(() if own else _implied(profile, known, model, names)))
    return Route(
        url.partition("://")[2] if url else "an invalid address",
        url,
        set_by,
        by_project,
        tuple(dict.fromkeys(sends)),
        is_known=known is not None,
    )


Address = tuple[str, Place | str, bool]


def _of_profile(profile: ResolvedProfile, lm: object) -> Address | None:
    """Return the address that the profile sets."""
    built = getattr(lm, "kwargs", None)
    for section in ("lm", "provider"):
        table = profile.values.get(section, {})
        for name in ADDRESS_KEYS:
            if name not in table:
                continue
            text = table[name]
            if section == "lm" and isinstance(built, Mapping):
                text = built.get(name, text)  # with references resolved
            origin = profile.origin((section, name))
            return str(text), origin.place, not may("send", origin)
    return None


def _of_environment(profile: ResolvedProfile, model: object) -> Address | None:
    """Return the address that a variable sets; only a trusted file can have set it."""
    prefix = _prefix(model)
    for name in (f"{prefix}_API_BASE", f"{prefix}_BASE_URL", f"{prefix}_OPENAI_ENDPOINT"):
        text = os.environ.get(name)
        if not text:
            continue
        by_profile = profile.env.get(name) == text
        return text, profile.origin(("env", name)).place if by_profile else name, False
    return None


def _references(profile: ResolvedProfile) -> Iterator[str]:
    """Yield the references that the profile sends, except an address that is one itself."""
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
    """Return the secrets that DSPy sends by default if the profile sets no key."""
    if "api_key" in profile.lm:
        return ()
    prefix = _prefix(model)
    own = [n for n in sorted(os.environ) if n.startswith(f"{prefix}_") and names.is_secret(n)]
    if known is None:
        return own or (UNKNOWN_KEY,)
    if known.has_login:
        return (*own, "your login at the provider")
    return [name for name in dict.fromkeys((*known.variables, *own)) if os.environ.get(name)]


@dataclass(frozen=True)
class Known:
    """DSPy's defaults for a provider."""

    url: str | None
    variables: tuple[str, ...]
    has_login: bool


def _known(model: str) -> Known | None:
    """Return the defaults of DSPy's own client for a model; None if it has no client."""
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
        except Exception:  # noqa: BLE001, S112 - another DSPy may lack this
            continue
    return None


def _prefix(model: object) -> str:
    prefix, slash, _ = str(model).partition("/")
    return PREFIXES.get(prefix, prefix.upper().replace("-", "_")) if slash else "OPENAI"


def _host(text: str) -> str | None:
    """Return scheme, host and port of an address. The rest may contain a secret."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or not host.isprintable():
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme or 'http'}://{shown}{f':{port}' if port else ''}"
