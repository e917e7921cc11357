"""One short call per profile, all side by side, each bounded in time."""

import importlib
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dspy_profiles.cli.doctor._addresses import Route, Surroundings, route
from dspy_profiles.cli.doctor._packages import quiet
from dspy_profiles.cli.doctor._verdicts import Answer, Asked, timed_out, verdict
from dspy_profiles.cli.doctor._walk import Examination
from dspy_profiles.profiles import ResolvedProfile, references
from dspy_profiles.secrets import Names, is_plaintext, remember, variables_in

if TYPE_CHECKING:
    from dspy_profiles.objects import Built

__all__ = ["PATIENCE", "Call", "ask_all", "calls"]

PATIENCE = 20.0  # seconds
PROMPT = "Reply with the one word OK."
TOKENS = 16  # the least that every provider takes
TICK = 0.2  # seconds; a wait without an end could not be interrupted everywhere
# What shapes long or structured answers, and has no place beside so few tokens.
LEFT_OUT = ("response_format", "tools", "tool_choice", "thinking", "stop")


@dataclass(frozen=True)
class Call:
    """A profile's LM, ready to be asked, and where that will lead."""

    name: str
    lm: Any
    asked: Asked
    by_litellm: bool = False  # as far as can be told from here

    @property
    def route(self) -> Route:
        return self.asked.route


def calls(examination: Examination, timeout: float = PATIENCE) -> dict[str, Call]:
    """The calls of all profiles that are sound and have an LM. Sends nothing."""
    # Before LiteLLM is imported: it would fetch a list of prices first.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    scene = examination.found.scene
    names = examination.found.scene.names
    around = Surroundings(examination.variables, scene.env_files, scene.locations.env_files[-1])
    caller = _Caller(around, names, _secrets_around(names), timeout)
    return {
        one.name: caller.call(one.name, one.built)
        for one in examination.profiles
        if one.built is not None and one.is_sound and one.built.values.get("lm") is not None
    }


def ask_all(
    asked: Mapping[str, Call], on_answer: Callable[[str, Answer], None] = lambda _name, _one: None
) -> dict[str, Answer]:
    """Ask all at once; whoever has not answered in time is not waited for."""
    answers: dict[str, Answer] = {}
    done: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()

    def ask(call: Call) -> None:
        done.put((call.name, _answer(call)))

    with quiet():
        if any(call.by_litellm for call in asked.values()):
            # It takes seconds to import, which are no server's fault.
            with suppress(Exception):
                importlib.import_module("litellm")
        start = time.monotonic()
        for call in asked.values():
            # Daemons: one that hangs must not keep the process from ending.
            threading.Thread(target=ask, args=(call,), daemon=True).start()
        while len(answers) < len(asked):
            waited = time.monotonic() - start
            for name, call in asked.items():
                if name not in answers and waited >= call.asked.timeout and done.empty():
                    answers[name] = timed_out(call.asked)
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
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is this profile's answer
        return verdict(error, call.asked)
    return Answer("answered", "model answers", ms=round((time.perf_counter() - start) * 1000))


@dataclass(frozen=True)
class _Caller:
    around: Surroundings
    names: Names
    hidden: tuple[str, ...]  # secrets in the environment
    timeout: float

    def call(self, name: str, built: "Built") -> Call:
        lm = built.values["lm"]
        given = getattr(lm, "kwargs", {})
        own = given.get("timeout")
        shortest = min(self.timeout, own) if isinstance(own, int | float) else self.timeout
        asked = Asked(
            route(built, self.around, self.names),
            str(getattr(lm, "model", name)),
            shortest if shortest > 0 else self.timeout,
            _keys(built.profile),
            (*self.hidden, *_texts(given, self.names)),
        )
        return Call(name, _brief(built, lm, asked.timeout), asked, _by_litellm(built, asked.route))


def _by_litellm(built: "Built", route: Route) -> bool:
    """Whether DSPy's own client leaves this call to LiteLLM."""
    from dspy_profiles._dspy import client_keys

    if built.provider.engine is not None:
        return False
    given = built.profile.lm
    beyond = client_keys() - {"api_key", "api_base", "base_url", "timeout"}
    return (
        not route.is_known
        or given.get("engine") == "litellm"
        or given.get("model_type") == "text"
        or bool(beyond & given.keys())
        or isinstance(route.set_by, str)  # a variable has set the address
    )


def _keys(profile: ResolvedProfile) -> tuple[str, ...]:
    """The variables and other references that the LM's secrets come from."""
    found = (
        name
        for key, text in references(profile)
        if key[0] == "lm" and key in profile.secret_keys
        for name in variables_in(text) or [str(text)]
    )
    return tuple(dict.fromkeys(found))


def _brief(built: "Built", lm: Any, timeout: float) -> Any:
    """A copy of the LM that says little, keeps nothing and tries once."""
    given = getattr(lm, "kwargs", {})
    changes: dict[str, Any] = {"callbacks": []}
    changes |= {k: v for k, v in {"cache": False, "num_retries": 0}.items() if hasattr(lm, k)}
    changes |= {k: TOKENS for k in ("max_tokens", "max_completion_tokens") if k in given}
    changes |= {k: None for k in LEFT_OUT if k in given}
    if "n" in given:
        changes["n"] = 1
    provider = built.provider
    if (provider.engine, provider.lm, provider.whole) == (None, None, None):
        changes["timeout"] = timeout  # an engine or class of one's own may not know the word
    return lm.copy(**changes)


def _secrets_around(names: Names) -> tuple[str, ...]:
    """The secrets in the environment: DSPy may send one that no profile refers to."""
    found = {name: value for name, value in os.environ.items() if names.is_secret(name)}
    for name, value in found.items():
        remember(value, f"${{{name}}}")
    return tuple(value for value in found.values() if is_plaintext(value))


def _texts(table: object, names: Names, *, secret: bool = False) -> list[str]:
    """The secrets in what an LM was built with."""
    if isinstance(table, Mapping):
        return [
            text
            for name, value in table.items()
            for text in _texts(value, names, secret=secret or names.is_secret(str(name)))
        ]
    if not secret or not isinstance(table, str) or not is_plaintext(table):
        return []
    return [table.rpartition(" ")[2]]  # "Bearer …" without the word
