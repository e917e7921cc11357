"""Call the model of each profile once, all in parallel, each with a timeout."""

import importlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dspy_profiles.cli.doctor._addresses import Route, route
from dspy_profiles.cli.doctor._packages import quiet
from dspy_profiles.cli.doctor._verdicts import Answer, Request, timed_out, verdict
from dspy_profiles.cli.doctor._walk import Examination
from dspy_profiles.profiles import ResolvedProfile, references
from dspy_profiles.secrets import Names, is_plaintext, remember, variables_in

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["TIMEOUT", "Call", "call_all", "calls"]

TIMEOUT = 20.0  # seconds
PROMPT = "Reply with the one word OK."
TOKENS = 16  # the smallest limit that every provider accepts
TICK = 0.2  # seconds; an endless wait cannot be interrupted on every platform
# Arguments for long or structured responses, which need more tokens.
LEFT_OUT = ("response_format", "tools", "tool_choice", "thinking", "stop")


@dataclass(frozen=True)
class Call:
    """A profile's LM, ready to be called, and its request."""

    name: str
    lm: Any
    request: Request
    by_litellm: bool = False  # a guess from the outside

    @property
    def route(self) -> Route:
        return self.request.route


def calls(examination: Examination, timeout: float = TIMEOUT) -> dict[str, Call]:
    """Return the calls of all valid profiles with an LM. Sends nothing."""
    # Set before LiteLLM is imported, which would fetch a list of prices.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    names = examination.survey.scene.names
    caller = _Caller(names, _secrets_around(names), timeout)
    return {
        one.name: caller.call(one.name, one.built)
        for one in examination.profiles
        if one.built is not None and one.is_valid and one.built.values.get("lm") is not None
    }


def call_all(
    pending: Mapping[str, Call], on_answer: Callable[[str, Answer], None] = lambda _name, _one: None
) -> dict[str, Answer]:
    """Call all models at once. One without an answer in time gets a timeout as its answer."""
    answers: dict[str, Answer] = {}
    done: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()

    def call_one(call: Call) -> None:
        done.put((call.name, _answer(call)))

    with quiet():
        if any(call.by_litellm for call in pending.values()):
            # The import takes seconds, which must not count as waiting for a server.
            with suppress(Exception):
                importlib.import_module("litellm")
        start = time.monotonic()
        for call in pending.values():
            # Daemons: one that hangs must not keep the process from exiting.
            threading.Thread(target=call_one, args=(call,), daemon=True).start()
        while len(answers) < len(pending):
            waited = time.monotonic() - start
            for name, call in pending.items():
                if name not in answers and waited >= call.request.timeout and done.empty():
                    answers[name] = timed_out(call.request)
                    on_answer(name, answers[name])
            try:
                name, answer = done.get(timeout=TICK)
            except queue.Empty:
                continue
            if name not in answers:
                answers[name] = answer
                on_answer(name, answer)
    return answers


def _answer(call: Call) -> Answer:
    start = time.perf_counter()
    try:
        call.lm(PROMPT)
    except BaseException as error:  # noqa: BLE001 - any error is this profile's answer
        return verdict(error, call.request)
    return Answer("answered", "model answers", ms=round((time.perf_counter() - start) * 1000))


@dataclass(frozen=True)
class _Caller:
    names: Names
    secrets: tuple[str, ...]  # of the environment
    timeout: float

    def call(self, name: str, built: "Built") -> Call:
        """Return the call of one profile."""
        lm = built.values["lm"]
        arguments = getattr(lm, "kwargs", {})
        own = arguments.get("timeout")
        shortest = min(self.timeout, own) if isinstance(own, int | float) else self.timeout
        request = Request(
            route(built, self.names),
            str(getattr(lm, "model", name)),
            shortest if shortest > 0 else self.timeout,
            _keys(built.profile),
            (*self.secrets, *_texts(arguments, self.names)),
        )
        brief = _brief(built, lm, request.timeout)
        return Call(name, brief, request, _by_litellm(built, request.route))


def _by_litellm(built: "Built", route: Route) -> bool:
    """Return whether DSPy's own client passes this call to LiteLLM."""
    from dspy_profiles import _dspy

    if built.provider.engine is not None:
        return False
    arguments = built.profile.lm
    beyond = _dspy.shape().client_keys() - {"api_key", "api_base", "base_url", "timeout"}
    return (
        not route.is_known
        or arguments.get("engine") == "litellm"
        or arguments.get("model_type") == "text"
        or bool(beyond & arguments.keys())
        or isinstance(route.set_by, str)  # a variable has set the address
    )


def _keys(profile: ResolvedProfile) -> tuple[str, ...]:
    """Return the variables and other references of the LM's secrets."""
    names = (
        name
        for key, text in references(profile)
        if key[0] == "lm" and key in profile.secret_keys
        for name in variables_in(text) or [str(text)]
    )
    return tuple(dict.fromkeys(names))


def _brief(built: "Built", lm: Any, timeout: float) -> Any:
    """Return a copy of the LM for one short call: no cache, no retries, few tokens."""
    arguments = getattr(lm, "kwargs", {})
    changes: dict[str, Any] = {"callbacks": []}
    changes |= {k: v for k, v in {"cache": False, "num_retries": 0}.items() if hasattr(lm, k)}
    changes |= {k: TOKENS for k in ("max_tokens", "max_completion_tokens") if k in arguments}
    changes |= {k: None for k in LEFT_OUT if k in arguments}
    if "n" in arguments:
        changes["n"] = 1
    provider = built.provider
    if (provider.engine, provider.lm, provider.whole) == (None, None, None):
        changes["timeout"] = timeout  # a custom engine or class may not accept it
    return lm.copy(**changes)


def _secrets_around(names: Names) -> tuple[str, ...]:
    """Return the environment's secrets: DSPy may send one that no profile refers to."""
    secrets = {name: value for name, value in os.environ.items() if names.is_secret(name, value)}
    for name, value in secrets.items():
        remember(value, f"${{{name}}}")
    return tuple(value for value in secrets.values() if is_plaintext(value))


def _texts(table: object, names: Names, *, secret: bool = False) -> list[str]:
    """Return the secrets in the arguments of an LM."""
    if isinstance(table, Mapping):
        return [
            text
            for name, value in table.items()
            for text in _texts(value, names, secret=secret or names.is_secret(str(name)))
        ]
    if not secret or not isinstance(table, str) or not is_plaintext(table):
        return []
    return [table.rpartition(" ")[2]]  # without the word "Bearer"
