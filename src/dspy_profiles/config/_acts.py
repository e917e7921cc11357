"""What a configuration file makes us do, beyond holding values.

The digest of it says whether a file still does what you have trusted it with. Other edits, such as
another model or temperature, leave it as it is.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from dspy_profiles.config._document import read_toml
from dspy_profiles.config._keys import KeyPath, join_key
from dspy_profiles.errors import ProfileError
from dspy_profiles.secrets import is_never_set, names_in_files, needs_trust, value_in_files

__all__ = [
    "PYPROJECT",
    "Action",
    "Deed",
    "action_of",
    "acts",
    "deeds_in",
    "deeds_or_none",
    "digest_of",
]

# "import" and "start" run code of somebody else, "connect" opens a connection, "send" gives an
# address secrets of the user's environment, "read" and "write" use files outside of the project.
Action = Literal["import", "start", "connect", "send", "read", "write"]
# "set" changes a variable that steers programs. "put" changes any other one, and "refer" names a
# secret: harmless alone, and part of the digest.
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
CLIENT_SECTIONS = frozenset({"lm", "lms", "rm", "embedder", "provider"})
NOT_ADDRESSES = frozenset({"headers", "extra_headers", "default_headers", "metadata"})
CHECKS_OF_SERVERS = frozenset({"ssl_verify", "verify", "ssl_certificate", "cert"})
FILE_ENDINGS = ("cassette", "_file", "_path", "credentials")
SCHEMES = ("env:", "file:", "keyring:")


def action_of(key: KeyPath, value: object) -> Action | None:
    """Return what a value of a profile makes us do; the key starts with its section."""
    if key[-1] in CHECKS_OF_SERVERS and key[0] in CLIENT_SECTIONS:
        return "connect"
    if not isinstance(value, str) or not value:
        return None
    if key[-1] in CLASS_KEYS:
        return "import" if _is_import(value) else None
    if _is_address(key, value):
        return "connect"
    if key[0] in CLIENT_SECTIONS and key[-1].endswith(FILE_ENDINGS) and "{" not in value:
        return "read"
    return "read" if value.startswith("file:") else None


def deeds_in(path: Path) -> list[Deed]:
    """Return everything in a file that acts. Raise InvalidFile if it cannot be read."""
    if path.name == PYPROJECT:
        return sorted(_in_settings(read_toml(path).data))
    if path.suffix == ".toml":
        return sorted(_in_profiles(read_toml(path).data))
    if path.name == RESULTS:  # where they are kept, if that is a link
        return [("write", RESULTS, os.path.realpath(path))]
    names = names_in_files([path])
    acting = sorted(name for name in names if needs_trust(name) and not is_never_set(name))
    return [("set", name, value_in_files(name, [path]) or "") for name in acting]


def acts(deeds: list[Deed] | None) -> bool:
    """Return whether something acts in a file with these deeds; None if it cannot be read."""
    return any(kind not in HARMLESS_KINDS for kind, _, _ in deeds or ())


def digest_of(deeds: list[Deed]) -> str:
    """Return a hash of what acts, so that no value of it is kept."""
    import hashlib  # only where something acts, and slow to import

    return hashlib.sha256(json.dumps(deeds).encode()).hexdigest()


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
        return "set" if needs_trust(key[-1]) else "put"
    action = action_of(key, value)
    if action is not None:
        return action
    refers = isinstance(value, str) and ("${" in value or value.startswith(SCHEMES))
    return "refer" if refers and key[0] != "description" else None


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
    if key[0] not in CLIENT_SECTIONS or NOT_ADDRESSES.intersection(key):
        return False
    if key[-1].lower().replace("-", "_").endswith(ADDRESS_ENDINGS):
        return True
    return "://" in value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def deeds_or_none(path: Path) -> list[Deed] | None:
    """Return what acts in a file; None if it cannot be read."""
    try:
        return deeds_in(path)
    except ProfileError:
        return None
