"""What a configuration file makes us do, beyond holding values.

The digest of it says whether a file still does what you have trusted it with. Other edits, such as
another model or temperature, leave it as it is.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from dspy_profiles.config._document import read_toml
from dspy_profiles.config._keys import KeyPath, join_key
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import (
    MASK,
    TEMPLATE,
    Names,
    filled,
    has_password,
    is_never_set,
    names_in_files,
    needs_trust,
    redact,
    value_in_files,
)

__all__ = [
    "PYPROJECT",
    "Action",
    "Deed",
    "action_of",
    "acts",
    "deeds_in",
    "deeds_or_none",
    "digest_of",
    "given_in",
    "shown",
]

# "import" and "start" run code of somebody else, "connect" opens a connection, "send" gives an
# address secrets of the user's environment, "read" and "write" use files outside of the project.
Action = Literal["import", "start", "connect", "send", "read", "write"]
# "set" changes a variable that steers programs. "put" changes any other one, and "refer" names a
# secret or a parent: harmless alone, and part of the digest.
Kind = Action | Literal["set", "put", "refer"]
HARMLESS_KINDS = ("put", "refer")
Deed = tuple[str, str, str]  # a kind, a key, and what stands there

PYPROJECT = "pyproject.toml"
RESULTS = "results"
SETTINGS_THAT_ACT = ("store", "env-file", "cassette-dir")

CLASS_KEYS = frozenset({"class", "class_name", "callbacks", "interpreter_factory"})
# DSPy's own, which do nothing but what they are named for.
HARMLESS = frozenset(
    {
        "dspy.BAMLAdapter",
        "dspy.ChatAdapter",
        "dspy.ColBERTv2",
        "dspy.JSONAdapter",
        "dspy.LM",
        "dspy.TwoStepAdapter",
        "dspy.XMLAdapter",
    }
)
ADDRESS_ENDINGS = ("api_base", "base_url", "endpoint", "host", "proxy", "uri", "url")
# LiteLLM writes them into the name of a server, where "evil.example/" is another one.
PARTS_OF_ADDRESSES = ("account_id", "location", "region", "region_name")
PART = re.compile(r"[\w-]*")
CLIENT_SECTIONS = frozenset({"lm", "lms", "rm", "embedder", "provider"})
HEADERS = frozenset({"headers", "extra_headers", "default_headers"})
NOT_ADDRESSES = HEADERS | {"metadata"}
# LiteLLM imports what they name, and sends it each call.
LOGGERS = frozenset({"failure_callback", "input_callback", "service_callback", "success_callback"})
CHECKS_OF_SERVERS = frozenset({"ssl_verify", "verify", "ssl_certificate", "cert"})
MODEL_KEYS = frozenset({"model", "custom_llm_provider"})
IN_PROCESS = frozenset({"vllm", "petals"})  # models that LiteLLM loads itself, with code of theirs
FILE_ENDINGS = ("cassette", "_file", "_path", "credentials")
LITELLM_REFERENCES = ("oidc/", "os.environ/")  # a variable, a file, a server of identities
SCHEMES = ("env:", "file:", "keyring:")
# Of a variable: whatever can be an address, a path or a name to import.
LEADS_SOMEWHERE = re.compile(r"[/:.~\\]|^(0x[0-9a-f]+|\d+)$", re.IGNORECASE)
NAMES = Names()


def action_of(key: KeyPath, value: object) -> Action | None:
    """Return what a value of a profile makes us do; the key starts with its section.

    A reference counts as it is written, and as what is left if no variable is set.
    """
    action = _action(key, value)
    if action is None and isinstance(value, str) and "${" in value:
        return _action(key, filled(value, {}))
    return action


def _action(key: KeyPath, value: object) -> Action | None:
    section, name = key[0], key[-1]
    is_client = section in CLIENT_SECTIONS
    if is_client and name in CHECKS_OF_SERVERS:
        return None if value is True else "connect"
    if not isinstance(value, str) or not value:
        return None
    if name in CLASS_KEYS:
        return "import" if _is_import(value) else None
    if is_client:
        if name in LOGGERS or (name in MODEL_KEYS and value.partition("/")[0] in IN_PROCESS):
            return "import"
        if _is_address(key, value):
            return "connect"
        if value.startswith(LITELLM_REFERENCES):
            return "send"
        if name.endswith(FILE_ENDINGS) and "${" not in value:
            return "read"
        if not NAMES.is_secret(name) and _names_secret(value):
            return "send"
    return "read" if value.startswith("file:") else None


def deeds_in(path: Path) -> list[Deed]:
    """Return everything in a file that acts. Raise InvalidFile if it cannot be read."""
    if path.name == RESULTS:  # where they are kept, if that is a link
        return [("write", RESULTS, os.path.realpath(path))]
    deeds: Iterator[Deed]
    if path.name == PYPROJECT:
        deeds = _in_settings(read_toml(path).data)
    elif path.suffix == ".toml":
        deeds = _in_profiles(read_toml(path).data)
    else:
        deeds = _in_env_file(path)
    is_link = os.path.islink(path)  # noqa: PTH114 - may not raise
    leads: list[Deed] = [("refer", path.name, os.path.realpath(path))] if is_link else []
    return sorted([*deeds, *leads])


def acts(deeds: list[Deed] | None) -> bool:
    """Return whether something acts in a file with these deeds; None if it cannot be read."""
    return any(kind not in HARMLESS_KINDS for kind, _, _ in deeds or ())


def shown(deed: Deed) -> str:
    """Return what stands there for a screen."""
    kind, key, value = deed
    hidden = has_password(value) or (kind == "put" and NAMES.is_secret(key, value))
    return MASK if hidden else redact(value)


def given_in(deeds: list[Deed] | None) -> dict[str, str]:
    """Return the variables of a `.env` file with these deeds that can lead somewhere."""
    return {name: value for kind, name, value in deeds or () if kind == "put"}


def digest_of(deeds: list[Deed]) -> str:
    """Return a hash of what acts, so that no value of it is kept."""
    import hashlib  # only where something acts, and slow to import

    return hashlib.sha256(json.dumps(deeds).encode()).hexdigest()


def _in_env_file(path: Path) -> Iterator[Deed]:
    for name in names_in_files([path]):
        value = value_in_files(name, [path]) or ""
        if needs_trust(name, value) and not is_never_set(name):
            yield "set", name, value
        elif LEADS_SOMEWHERE.search(value) and not is_never_set(name):
            yield "put", name, value  # it acts if a profile takes it


def _in_settings(data: Mapping[str, Any]) -> Iterator[Deed]:
    tool = data.get("tool")
    table = tool.get("dspy-profiles") if isinstance(tool, Mapping) else None
    if isinstance(table, Mapping):
        for name in SETTINGS_THAT_ACT:
            if name in table:
                yield "connect" if name == "store" else "read", name, _text(table[name])


def _in_profiles(data: Mapping[str, Any]) -> Iterator[Deed]:
    for profile, table in data.items():
        if isinstance(table, Mapping):
            for key, value in _values((), table):
                kind = _kind(key, value)
                if kind is not None:
                    yield kind, join_key((profile, *key)), _text(value)


def _kind(key: KeyPath, value: object) -> Kind | None:
    if key[0] == "env":
        return "set" if needs_trust(key[-1], _text(value)) else "put"
    action = action_of(key, value)
    if action is not None:
        return action
    refers = isinstance(value, str) and ("${" in value or value.startswith(SCHEMES))
    return "refer" if key[0] == "extends" or (refers and key[0] != "description") else None


def _values(key: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _values((*key, name), item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(key, item)
    else:
        yield key, value


def _is_import(value: str) -> bool:
    return any(sign in value for sign in (".", ":", "${")) and value not in HARMLESS


def _is_address(key: KeyPath, value: str) -> bool:
    name = key[-1].lower().replace("-", "_")
    if NOT_ADDRESSES.intersection(key):
        return name == "host" and bool(HEADERS.intersection(key))
    if name.endswith(PARTS_OF_ADDRESSES):
        return "${" not in value and PART.fullmatch(value) is None
    return name.endswith(ADDRESS_ENDINGS) or "://" in value


def _names_secret(value: str) -> bool:
    """Return whether a text refers to a secret that is not one of the project's files."""
    names = [match[1] for match in TEMPLATE.finditer(value) if match[1]]
    scheme, _, rest = value.partition(":")
    if scheme == "env":
        names = [rest]
    return scheme == "keyring" or any(map(NAMES.is_secret, names))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def deeds_or_none(path: Path) -> list[Deed] | None:
    """Return what acts in a file; None if it cannot be read."""
    try:
        return deeds_in(path)
    except ProfileError:
        return None
