"""How an experiment was run, and what is wrong with its record."""

import shlex
from collections.abc import Mapping
from typing import Any

from dspy_profiles.display import brief, clock, counted, on_one_line, visible
from dspy_profiles.results._model import Experiment
from dspy_profiles.results.views._rows import Fact

__all__ = ["about", "facts", "warnings"]

LONG = 2000  # characters of a command
UNKNOWN = "not known"


def about(experiment: Experiment) -> str:
    """Return program, profile and start in one line."""
    parts = []
    if experiment.program:
        parts.append(on_one_line(experiment.program, 80))
    if experiment.profile:
        parts.append(f"profile {on_one_line(experiment.profile, 80)}")
    return " · ".join([*parts, clock(experiment.started)])


def facts(experiment: Experiment) -> list[Fact]:
    details = experiment.details
    return [
        Fact("experiment", experiment.id),
        _profile(experiment),
        Fact(
            "program",
            on_one_line(experiment.program) if experiment.program else UNKNOWN,
            "inferred from the first call" if details.get("program_inferred") else "",
        ),
        Fact("versions", _versions(_table(details, "versions"))),
        _commit(details.get("git")),
        Fact("command", _command(details.get("command"))),
        Fact("folder", brief(details["folder"], LONG) if details.get("folder") else UNKNOWN),
        Fact("platform", brief(details["platform"]) if details.get("platform") else UNKNOWN),
        Fact("started", clock(experiment.started)),
        Fact("ended", _ended(experiment)),
    ]


def warnings(experiment: Experiment) -> list[str]:
    """Return notes that you need to interpret the figures."""
    details = experiment.details
    notes = []
    if details.get("error"):
        notes.append(f"the block ended with {on_one_line(str(details['error']))}")
    if experiment.status == "interrupted" and not details.get("error"):
        notes.append("its process ended first: the last events have no end")
    lost = details.get("lost")
    if isinstance(lost, int) and lost:
        are = "is" if lost == 1 else "are"
        notes.append(f"{counted(lost, 'line')} of its record could not be written and {are} lost")
    faults = details.get("faults")
    if isinstance(faults, Mapping):
        count, first = faults.get("count"), faults.get("first")
        reason = f": {on_one_line(str(first))}" if first else ""
        calls = counted(count, "call") if isinstance(count, int) else "calls"
        notes.append(f"{calls} could not be recorded correctly{reason}")
    if experiment.cost is None:
        notes.append("the cost is unknown: the price of at least one call is not known")
    return notes


def _profile(experiment: Experiment) -> Fact:
    details = _table(experiment.details, "profile")
    name = experiment.profile
    several = experiment.details.get("profiles")
    if isinstance(several, list) and several:
        names = ", ".join(on_one_line(str(each)) for each in several)
        return Fact("profile", names, "each test under each")
    if name is None:
        return Fact("profile", "none was active")
    fingerprint = details.get("fingerprint")
    inferred = experiment.details.get("profile_inferred")
    reason = "inferred from the first call" if inferred else details.get("reason")
    return Fact(
        "profile",
        on_one_line(name) + (f" · {on_one_line(str(fingerprint), 40)}" if fingerprint else ""),
        on_one_line(str(reason)) if reason else "",
    )


def _versions(versions: Mapping[str, Any]) -> str:
    known = [("dspy", "DSPy"), ("python", "Python"), ("dspy-profiles", "dspy-profiles")]
    shown = [(name, versions.get(key)) for key, name in known]
    parts = [f"{name} {on_one_line(str(each), 40)}" for name, each in shown if each]
    return " · ".join(parts) or UNKNOWN


def _commit(git: Any) -> Fact:
    if not isinstance(git, Mapping):
        return Fact("commit", UNKNOWN)
    commit, branch = git.get("commit"), git.get("branch")
    value = on_one_line(str(commit), 64)[:12] if commit else "none yet"
    if branch:
        value += f" on {on_one_line(str(branch), 80)}"
    dirty = git.get("dirty")
    remark = "" if dirty is None else "with uncommitted changes" if dirty else "clean"
    return Fact("commit", value, remark)


def _command(words: Any) -> str:
    if not isinstance(words, list) or not words:
        return UNKNOWN
    text = shlex.join(visible(str(word)) for word in words)
    return on_one_line(text, LONG)


def _ended(experiment: Experiment) -> str:
    return "running" if experiment.ended is None else clock(experiment.ended)


def _table(details: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = details.get(key)
    return value if isinstance(value, Mapping) else {}
