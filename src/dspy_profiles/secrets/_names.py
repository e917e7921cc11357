"""Recognize the names of keys that hold secrets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

__all__ = ["NEW_SECRET_KEYS", "NOT_SECRET", "SECRET_KEYS", "Names"]


class Pattern(NamedTuple):
    """A pattern of names; one that is new is warned about in this release, and refused later."""

    text: str
    is_new: bool = False
    may_hold_path: bool = False  # a path under this name is not a secret


# Providers, and servers in front of them, whose key people call OPENAI_KEY.
PROVIDERS = """
    ai21 anthropic anyscale assemblyai azure azure_ai azure_openai baseten bedrock brave cerebras
    claude codestral cohere dashscope databricks deepgram deepinfra deepseek elevenlabs exa
    fireworks friendli gemini github google google_ai gpt grok groq helicone hf huggingface
    hyperbolic jina langfuse langsmith litellm litellm_master llm mistral mistralai moonshot nebius
    novita nvidia openai openrouter perplexity pinecone portkey qdrant replicate sambanova serpapi
    serper stability tavily together togetherai vertex vllm voyage wandb watsonx weaviate xai zhipu
"""
REFUSED = """
    api_key apikey *_api_key *_apikey api_keys token *_token secret *_secret password *_password
    passwd authorization *_authorization secret_key *_secret_key secret_access_key
    *_secret_access_key private_key *_private_key passphrase *_passphrase cookie
"""
PATTERNS = (
    *(Pattern(text) for text in REFUSED.split()),
    Pattern("*credentials", is_new=True, may_hold_path=True),
    Pattern("*subscription_key", is_new=True),
    Pattern("access_key", is_new=True),
    Pattern("auth_key", is_new=True),
    Pattern("*_auth_key", is_new=True),
    Pattern("jwt", is_new=True),
    Pattern("*_jwt", is_new=True),
    Pattern("connection_string", is_new=True),
    Pattern("*_connection_string", is_new=True),
    Pattern("pwd", is_new=True, may_hold_path=True),  # also a shell's working directory
    Pattern("*_pwd", is_new=True, may_hold_path=True),
    *(Pattern(f"{provider}_key", is_new=True) for provider in PROVIDERS.split()),
)
SECRET_KEYS = tuple(pattern.text for pattern in PATTERNS if not pattern.is_new)
NEW_SECRET_KEYS = tuple(pattern.text for pattern in PATTERNS if pattern.is_new)
MAY_HOLD_PATH = tuple(pattern.text for pattern in PATTERNS if pattern.may_hold_path)
NOT_SECRET = (
    "max_tokens",
    "*_path",
    # the special tokens of language models
    *(f"{name}_token" for name in ("bos", "cls", "eos", "image", "mask", "pad", "sep", "unk")),
    "stop_token",
    "*_per_token",  # a price
)


@dataclass(frozen=True)
class Names:
    """Patterns of the names of secrets: the built-in ones and those of the settings."""

    secret: tuple[str, ...] = SECRET_KEYS
    plain: tuple[str, ...] = NOT_SECRET

    @classmethod
    def extended(cls, secret: Iterable[str], plain: Iterable[str]) -> "Names":
        return cls(
            SECRET_KEYS + tuple(map(_spelled, secret)), NOT_SECRET + tuple(map(_spelled, plain))
        )

    def is_secret(self, key: str, value: str = "") -> bool:
        """Return whether the name is that of a secret. Under some names, a path is not one."""
        key = _spelled(key)
        if _matches(key, self.plain):
            return False
        if _matches(key, self.secret):
            return True
        if not _matches(key, NEW_SECRET_KEYS):
            return False
        return not (_is_path(value) and _matches(key, MAY_HOLD_PATH))

    def is_refused(self, key: str) -> bool:
        """Return whether plaintext under the name is refused, and not only warned about."""
        key = _spelled(key)
        return _matches(key, self.secret) and not _matches(key, self.plain)

    def is_exempt(self, key: str) -> bool:
        """Return whether the setting not-secret names the key."""
        return _matches(_spelled(key), self.plain[len(NOT_SECRET) :])


WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
FILE_ENDINGS = (".json", ".pem", ".key", ".p12", ".pfx", ".crt", ".txt", ".toml", ".yaml", ".yml")


def _is_path(text: str) -> bool:
    """Return whether a text is the path of a file or folder, as people write it."""
    start, slash, _ = text.partition("/")
    if slash and (start in ("", ".", "..") or start.startswith("~")):
        return True
    if slash and start.startswith("${") and start.endswith("}"):
        return True
    is_windows = text[1:3] == ":\\" or text.startswith("\\\\")
    return is_windows or (text.endswith(FILE_ENDINGS) and not any(c in text for c in ' "{\n'))


def _spelled(key: str) -> str:
    return WORDS.sub("_", str(key)).lower().replace("-", "_")  # accessToken, Access-Token


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    names, endings, others = _sorted(patterns)
    return key in names or key.endswith(endings) or any(fnmatchcase(key, each) for each in others)


@lru_cache
def _sorted(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Return the patterns that are names, the endings, and the few others.

    Compiling all of them as regular expressions would take longer than the rest of a resolution.
    """
    special = [each for each in patterns if any(c in each for c in "*?[")]
    endings = [each for each in special if not any(c in each[1:] for c in "*?[") and each[0] == "*"]
    names = frozenset(patterns) - frozenset(special)
    others = (each for each in special if each not in endings)
    return names, tuple(each[1:] for each in endings), tuple(others)
