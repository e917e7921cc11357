"""Classify the error of an LM call, with a hint for each kind."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from json import JSONDecodeError
from typing import Any, Literal

from dspy_profiles.cli.doctor._addresses import Route
from dspy_profiles.display import on_one_line
from dspy_profiles.secrets import MASK, redact

__all__ = ["Answer", "Kind", "Request", "verdict"]

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
    "no-model",  # a server that is not a model API
    "error",
    "skipped",
]

UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
LOCAL = ("localhost", "127.", "[::1]", "0.0.0.0")  # noqa: S104 - to compare with, not to bind
FRAGMENT = 8  # characters of a secret; an error may cut off the rest
LONGEST = 300  # characters of a server's message
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:API_KEY|AUTH_TOKEN|AD_TOKEN|KEY)\b")
NO_KEY = re.compile(r"missing credentials|missing .{0,30}api key|no api key", re.IGNORECASE)
NO_MODEL = re.compile(
    r"(?:invalid|unknown|no such) model|model\b.{0,80}\b(?:not found|not exist|unknown|invalid)",
    re.IGNORECASE | re.DOTALL,
)
LITELLMS = re.compile(r"^litellm\.\w+: (?:\w+: )?(?:\w+Exception - )?")  # LiteLLM's prefixes
BAD_KEY = re.compile(r"authentication|(?:invalid|incorrect|wrong) api key", re.IGNORECASE)
OK, REFUSED, DENIED, BILLING, FORBIDDEN, MISSING = 200, 400, 401, 402, 403, 404
LIMITED, SERVER = 429, 500


@dataclass(frozen=True)
class Answer:
    """The result of a call; `detail` is the server's message, redacted."""

    kind: Kind
    message: str
    hint: str | None = None
    ms: int | None = None
    detail: str | None = None
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class Request:
    """A call: its route, model, timeout and secrets."""

    route: Route
    model: str
    timeout: float
    keys: tuple[str, ...] = ()  # the variables of the profile's keys
    values: tuple[str, ...] = ()  # secrets that must not be shown, not even in part


def verdict(error: BaseException, request: Request) -> Answer:
    """Return the answer for an error."""
    chain = list(_chain(error))
    detail = _shown(str(getattr(error, "message", "") or error), request)
    unreached = _unreached(chain, request)
    if unreached is not None:
        return unreached
    status = _status(error, chain)
    variables = tuple(getattr(error, "env_keys", ()) or ())
    if type(error).__name__ == "LMNotConfiguredError" or (NO_KEY.search(detail) and status is None):
        return _no_key(variables or tuple(VARIABLE.findall(detail)), detail)
    if any(isinstance(one, JSONDecodeError) for one in chain) and (status or OK) < REFUSED:
        hint = f"check the address {request.route.host}: most end in /v1"
        return Answer("no-model", "the server is not a model API", hint, detail=detail)
    known = _by_status(status, chain, detail, replace(request, keys=request.keys or variables))
    if known is not None:
        return known
    return Answer("error", _first_line(error, detail), None, detail=detail, status=status)


def _status(error: BaseException, chain: list[BaseException]) -> int | None:
    """Return the server's status; LiteLLM also sets one on errors of its own."""
    status = getattr(error, "status", None)
    is_own = any(type(one).__module__.startswith("litellm.") for one in chain) and not any(
        type(one).__name__ == "HTTPStatusError" for one in chain
    )
    return status if isinstance(status, int) and not is_own else None


def _unreached(chain: list[BaseException], request: Request) -> Answer | None:
    """Return an answer if the server was not reached, or did not respond."""
    url, host = request.route.url or request.route.host, request.route.host
    for one in chain:
        if isinstance(one, socket.gaierror):
            name = host.rpartition(":")[0] or host
            return Answer("dns", f"host {name} not found", "check the address and the network")
        if isinstance(one, ConnectionRefusedError):
            return Answer("refused", f"{url} refused the connection", _start(request))
        if isinstance(one, ssl.SSLError):
            hint = "try http:// instead of https://, or check the certificate of your proxy"
            return Answer("tls", f"TLS connection to {host} failed", hint)
        if type(one).__name__ == "ConnectTimeout" or _errno(one) in UNREACHABLE:
            hint = "check the address, firewall, VPN and proxy"
            return Answer("unreachable", f"{url} is unreachable", hint)
        if isinstance(one, TimeoutError) or type(one).__name__ in ("LMTimeoutError", "ReadTimeout"):
            return timed_out(request)
    return None


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def timed_out(request: Request) -> Answer:
    """Return the answer for a call without a response in time."""
    message = f"no response within {request.timeout:g} s"
    return Answer("timeout", message, "pass a longer --timeout")


def _start(request: Request) -> str:
    host = request.route.host
    if not host.startswith(LOCAL):
        return "check that the server runs, and its port"
    if host.endswith(":11434") or request.model.startswith("ollama"):
        return "start Ollama: ollama serve"
    return f"start the server of {host}; for Ollama: ollama serve"


def _no_key(variables: tuple[str, ...], detail: str) -> Answer:
    names = list(dict.fromkeys(variables))
    if not names:
        return Answer("no-key", "the provider is not configured", _end_of(detail), detail=detail)
    message = f"{' or '.join(names)} is not set"
    return Answer("no-key", message, f"export {names[0]}, or add it to .env", detail=detail)


def _by_status(
    status: int | None, chain: list[BaseException], detail: str, request: Request
) -> Answer | None:
    kind = type(chain[0]).__name__
    keys = " and ".join(request.keys) or "lm.api_key"

    def answer(kind: Kind, message: str, hint: str, retry_after: float | None = None) -> Answer:
        code = "" if status is None else f" ({status})"
        shown = f"{message}{code}"
        return Answer(kind, shown, hint, None, detail, status, retry_after)

    if status in (DENIED, FORBIDDEN) or kind == "LMAuthError":
        if status == FORBIDDEN:
            return answer("denied", "access denied", f"check that {keys} may use {request.model}")
        return answer("denied", "key rejected", f"check {keys}")
    if status == BILLING or kind == "LMBillingError":
        return answer("billing", "the account has no credit", "add credit at the provider")
    if status == MISSING or kind == "LMUnsupportedModelError" or _is(status, NO_MODEL, detail):
        hint = "check lm.model, and the address: most end in /v1"
        return answer("not-found", f"model {request.model} not found", hint)
    if _is(status, BAD_KEY, detail):
        return answer("denied", "key rejected", f"check {keys}")
    if status == LIMITED or kind == "LMRateLimitError":
        wait = _retry_after(chain)
        hint = "try again later" if wait is None else f"try again in {wait:g} s"
        return answer("rate-limited", "too many requests", hint, wait)
    if kind == "LMServerError" or (status or 0) >= SERVER:
        return answer("server-error", "server error", "try again later: the error is the server's")
    if status is not None and status >= REFUSED:
        return answer("error", "request rejected", "see the server's message")
    return None


def _is(status: int | None, pattern: re.Pattern[str], detail: str) -> bool:
    """Return whether the message of a bad request matches; its status is the same for all."""
    return status == REFUSED and pattern.search(detail) is not None


def _retry_after(chain: list[BaseException]) -> float | None:
    for one in chain:
        seconds: Any = getattr(one, "retry_after", None)
        headers = getattr(getattr(one, "response", None), "headers", None)
        if seconds is None and headers is not None:
            seconds = headers.get("retry-after")
        try:
            return float(seconds)
        except (TypeError, ValueError):
            continue
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _shown(text: str, request: Request) -> str:
    """Return a server's message for a terminal, without any part of a secret."""
    text = redact(text)
    for value in request.values:
        text = _without(text, value)
    return on_one_line(LITELLMS.sub("", text.partition("\n\n")[0]), LONGEST)


def _without(text: str, value: str) -> str:
    """Mask every part of a secret: an error may quote its beginning only."""
    for start in range(len(value) - FRAGMENT + 1):
        part = re.escape(value[start : start + FRAGMENT])
        text = re.sub(rf"[^\s'\"<>]*{part}[^\s'\"<>]*", MASK, text)
    return text


def _first_line(error: BaseException, detail: str) -> str:
    name = type(error).__name__
    return f"{name}: {detail}" if detail else name


def _end_of(detail: str) -> str | None:
    """Return the hint in an error of DSPy: the text after "; "."""
    return detail.partition("; ")[2] or None
