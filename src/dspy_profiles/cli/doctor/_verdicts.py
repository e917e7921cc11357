"""What an LM's error means, told apart by what really happened, and what to do about each."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from json import JSONDecodeError
from typing import Any, Literal

from dspy_profiles.cli.doctor._addresses import Route
from dspy_profiles.secrets import MASK, redact

__all__ = ["Answer", "Asked", "Kind", "verdict"]

Kind = Literal[
    "answered",
    "no-key",
    "refused",
    "dns",
    "unreachable",
    "tls",
    "timeout",
    "denied",
    "billing",
    "not-found",
    "rate-limited",
    "server-error",
    "no-model",  # something answers there that is not a model's API
    "error",
    "skipped",
]

UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
LOCAL = ("localhost", "127.", "[::1]", "0.0.0.0")  # noqa: S104 - to compare with, not to bind
FRAGMENT = 8  # characters of a secret in a row; an error may have cut off the rest
LONGEST = 300  # characters of what a server says
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:API_KEY|AUTH_TOKEN|AD_TOKEN|KEY)\b")
NO_KEY = re.compile(r"missing credentials|missing .{0,30}api key|no api key", re.IGNORECASE)
NO_MODEL = re.compile(
    r"(?:invalid|unknown|no such) model|model\b.{0,80}\b(?:not found|not exist|unknown|invalid)",
    re.IGNORECASE | re.DOTALL,
)
LITELLMS = re.compile(r"^litellm\.\w+: (?:\w+: )?(?:\w+Exception - )?")  # a row of its own names
BAD_KEY = re.compile(r"authentication|(?:invalid|incorrect|wrong) api key", re.IGNORECASE)
OK, REFUSED, DENIED, BILLING, FORBIDDEN, MISSING = 200, 400, 401, 402, 403, 404
LIMITED, SERVER = 429, 500


@dataclass(frozen=True)
class Answer:
    """What came of a call; `detail` is what the server said, redacted."""

    kind: Kind
    message: str
    hint: str | None = None
    ms: int | None = None
    detail: str | None = None
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Asked:
    """What an answer is judged by: where the call went, with what, and for how long."""

    route: Route
    model: str
    timeout: float
    keys: tuple[str, ...] = ()  # the variables that the profile takes its keys from
    values: tuple[str, ...] = ()  # what must not be shown, nor any longer part of it


def verdict(error: BaseException, asked: Asked) -> Answer:
    """The answer that an error is."""
    chain = list(_chain(error))
    detail = _shown(str(getattr(error, "message", "") or error), asked)
    unreached = _unreached(chain, asked)
    if unreached is not None:
        return unreached
    status = _status(error, chain)
    variables = tuple(getattr(error, "env_keys", ()) or ())
    if type(error).__name__ == "LMNotConfiguredError" or (NO_KEY.search(detail) and status is None):
        return _no_key(variables or tuple(VARIABLE.findall(detail)), detail)
    if any(isinstance(one, JSONDecodeError) for one in chain) and (status or OK) < REFUSED:
        hint = f"look at the address, {asked.route.host}: most end in /v1"
        return Answer("no-model", "what answers there is not a model's API", hint, detail=detail)
    known = _by_status(status, chain, detail, replace(asked, keys=asked.keys or variables))
    if known is not None:
        return known
    return Answer("error", _first_line(error, detail), None, detail=detail, status=status)


def _status(error: BaseException, chain: list[BaseException]) -> int | None:
    """What a server answered with; LiteLLM gives one to errors of its own as well."""
    status = getattr(error, "status", None)
    made_up = any(type(one).__module__.startswith("litellm.") for one in chain) and not any(
        type(one).__name__ == "HTTPStatusError" for one in chain
    )
    return status if isinstance(status, int) and not made_up else None


def _unreached(chain: list[BaseException], asked: Asked) -> Answer | None:
    """What kept the call from getting there or back at all."""
    url, host = asked.route.url or asked.route.host, asked.route.host
    for one in chain:
        if isinstance(one, socket.gaierror):
            name = host.rpartition(":")[0] or host
            hint = "look at the address, and at this machine's network"
            return Answer("dns", f"there is no host {name}", hint)
        if isinstance(one, ConnectionRefusedError):
            return Answer("refused", f"{url} refused", _start(asked))
        if isinstance(one, ssl.SSLError):
            hint = "is it http:// in place of https://, or a proxy with a certificate of its own?"
            return Answer("tls", f"no secure connection to {host}", hint)
        if type(one).__name__ == "ConnectTimeout" or _errno(one) in UNREACHABLE:
            hint = "look at the address, a firewall, a VPN, a proxy"
            return Answer("unreachable", f"{url} cannot be reached", hint)
        if isinstance(one, TimeoutError) or type(one).__name__ in ("LMTimeoutError", "ReadTimeout"):
            return timed_out(asked)
    return None


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def timed_out(asked: Asked) -> Answer:
    seconds = f"{asked.timeout:g}"
    hint = "the call was taken and not answered; --timeout waits longer"
    return Answer("timeout", f"no answer within {seconds} s", hint)


def _start(asked: Asked) -> str:
    host = asked.route.host
    if not host.startswith(LOCAL):
        return "is the server up, and the port right?"
    if host.endswith(":11434") or asked.model.startswith("ollama"):
        return "is Ollama running?"
    return f"is Ollama running? or whatever is to serve {host}"


def _no_key(variables: tuple[str, ...], detail: str) -> Answer:
    names = list(dict.fromkeys(variables))
    if not names:
        return Answer("no-key", "its provider is not configured", _end_of(detail), detail=detail)
    message = f"{' or '.join(names)} is not set"
    return Answer("no-key", message, "export it, or put it into .env", detail=detail)


def _by_status(
    status: int | None, chain: list[BaseException], detail: str, asked: Asked
) -> Answer | None:
    kind = type(chain[0]).__name__
    keys = " and ".join(asked.keys) or "lm.api_key"

    def answer(kind: Kind, message: str, hint: str, retry_after: float | None = None) -> Answer:
        code = "" if status is None else f" ({status})"
        shown = f"{message}{code}"
        return Answer(kind, shown, hint, None, detail, status, retry_after)

    if status in (DENIED, FORBIDDEN) or kind == "LMAuthError":
        if status == FORBIDDEN:
            return answer("denied", "access was refused", f"may {keys} use {asked.model}?")
        return answer("denied", "the key was refused", f"look at {keys}")
    if status == BILLING or kind == "LMBillingError":
        return answer("billing", "the account cannot pay", "look at its credit at the provider")
    if status == MISSING or kind == "LMUnsupportedModelError" or _is(status, NO_MODEL, detail):
        hint = "look at lm.model, and at the address: most end in /v1"
        return answer("not-found", f"{asked.model} was not found", hint)
    if _is(status, BAD_KEY, detail):
        return answer("denied", "the key was refused", f"look at {keys}")
    if status == LIMITED or kind == "LMRateLimitError":
        wait = _retry_after(chain)
        hint = "try again later" if wait is None else f"try again in {wait:g} s"
        return answer("rate-limited", "too many requests", hint, wait)
    if kind == "LMServerError" or (status or 0) >= SERVER:
        return answer("server-error", "the server failed", "try again later; it is not your doing")
    if status is not None and status >= REFUSED:
        return answer("error", "the request was refused", "the server says why")
    return None


def _is(status: int | None, pattern: re.Pattern[str], detail: str) -> bool:
    """A bad request says in words only what it is about."""
    return status == REFUSED and pattern.search(detail) is not None


def _retry_after(chain: list[BaseException]) -> float | None:
    for one in chain:
        given: Any = getattr(one, "retry_after", None)
        headers = getattr(getattr(one, "response", None), "headers", None)
        if given is None and headers is not None:
            given = headers.get("retry-after")
        try:
            return float(given)
        except (TypeError, ValueError):
            continue
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _shown(text: str, asked: Asked) -> str:
    """A server's words, fit for a terminal, and with no part of a secret."""
    text = redact(text)
    for value in asked.values:
        text = _without(text, value)
    text = LITELLMS.sub("", text.partition("\n\n")[0])
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"


def _without(text: str, value: str) -> str:
    """An error may quote the beginning of what was sent, and so the beginning of a secret."""
    for start in range(len(value) - FRAGMENT + 1):
        part = re.escape(value[start : start + FRAGMENT])
        text = re.sub(rf"[^\s'\"<>]*{part}[^\s'\"<>]*", MASK, text)
    return text


def _first_line(error: BaseException, detail: str) -> str:
    name = type(error).__name__
    return f"{name}: {detail}" if detail else name


def _end_of(detail: str) -> str | None:
    """What follows a "; " in an error of DSPy's says what to do."""
    return detail.partition("; ")[2] or None
