"""How an experiment was run, as far as it is known, and what is wrong with its record."""

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
    """In one line."""
    found = []
    if experiment.program:
        found.append(on_one_line(experiment.program, 80))
    if experiment.profile:
        found.append(f"profile {on_one_line(experiment.profile, 80)}")
    return " · ".join([*found, clock(experiment.started)])


def facts(experiment: Experiment) -> list[Fact]:
    said = experiment.details
    return [
        Fact("experiment", experiment.id),
        _profile(experiment),
        Fact(
            "program",
            on_one_line(experiment.program) if experiment.program else UNKNOWN,
            "inferred from the first call" if said.get("program_inferred") else "",
        ),
        Fact("versions", _versions(_table(said, "versions"))),
        _commit(said.get("git")),
        Fact("command", _command(said.get("command"))),
        Fact("folder", brief(said["folder"], LONG) if said.get("folder") else UNKNOWN),
        Fact("platform", brief(said["platform"]) if said.get("platform") else UNKNOWN),
        Fact("started", clock(experiment.started)),
        Fact("ended", _ended(experiment)),
    ]


def warnings(experiment: Experiment) -> list[str]:
    """What whoever reads the figures has to know about them."""
    said = experiment.details
    found = []
    if said.get("error"):
        found.append(f"the block ended with {on_one_line(str(said['error']))}")
    if experiment.status == "interrupted" and not said.get("error"):
        found.append("its process ended before it did: what it was doing then has no end")
    lost = said.get("lost")
    if isinstance(lost, int) and lost:
        are = "is" if lost == 1 else "are"
        found.append(f"{counted(lost, 'line')} of its record could not be written and {are} lost")
    faults = said.get("faults")
    if isinstance(faults, Mapping):
        many, first = faults.get("count"), faults.get("first")
        told = f": {on_one_line(str(first))}" if first else ""
        counts = counted(many, "call") if isinstance(many, int) else "calls"
        should = "it should" if many == 1 else "they should"
        found.append(f"{counts} could not be recorded as {should} be{told}")
    if experiment.cost is None:
        found.append("the cost is unknown, as the price of at least one call is not known")
    return found


def _profile(experiment: Experiment) -> Fact:
    said = _table(experiment.details, "profile")
    name = experiment.profile
    several = experiment.details.get("profiles")
    if isinstance(several, list) and several:
        names = ", ".join(on_one_line(str(each)) for each in several)
        return Fact("profile", names, "each test under each")
    if name is None:
        return Fact("profile", "none was active")
    mark = said.get("fingerprint")
    inferred = experiment.details.get("profile_inferred")
    reason = "inferred from the first call" if inferred else said.get("reason")
    return Fact(
        "profile",
        on_one_line(name) + (f" · {on_one_line(str(mark), 40)}" if mark else ""),
        on_one_line(str(reason)) if reason else "",
    )


def _versions(said: Mapping[str, Any]) -> str:
    known = [("dspy", "DSPy"), ("python", "Python"), ("dspy-profiles", "dspy-profiles")]
    found = [f"{name} {on_one_line(str(said[key]), 40)}" for key, name in known if said.get(key)]
    return " · ".join(found) or UNKNOWN


def _commit(said: Any) -> Fact:
    if not isinstance(said, Mapping):
        return Fact("commit", UNKNOWN)
    commit, branch = said.get("commit"), said.get("branch")
    value = on_one_line(str(commit), 64)[:12] if commit else "none yet"
    if branch:
        value += f" on {on_one_line(str(branch), 80)}"
    dirty = said.get("dirty")
    remark = "" if dirty is None else "with uncommitted changes" if dirty else "clean"
    return Fact("commit", value, remark)


def _command(said: Any) -> str:
    if not isinstance(said, list) or not said:
        return UNKNOWN
    text = shlex.join(visible(str(word)) for word in said)
    return on_one_line(text, LONG)


def _ended(experiment: Experiment) -> str:
    return "running" if experiment.ended is None else clock(experiment.ended)


def _table(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = said.get(key)
    return value if isinstance(value, Mapping) else {}
