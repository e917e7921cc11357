"""The one question: may what stands in a file make this process act?

Nobody is asked where code of the project runs already, in CI, or for files of your own. Other files
act once you have trusted them, and as long as what acts in them stays the same.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from dspy_profiles.config._acts import PYPROJECT, RESULTS, Action
from dspy_profiles.config._document import Document, read_toml
from dspy_profiles.config._locations import PROFILES_FILE, Locations, is_inside, locate
from dspy_profiles.config._running import code_runs_in
from dspy_profiles.errors import Place, Untrusted

__all__ = ["TRUST_VARIABLE", "Want", "Written", "demand", "may", "read_of_project", "trusts"]

TRUST_VARIABLE = "DSPY_PROFILES_TRUST"
YOURS = frozenset({"user", "override", "built-in", "given"})  # layers that only you write

VERBS = {
    "import": "import",
    "start": "start",
    "connect": "use the address",
    "send": "send a secret to",
    "read": "read",
    "write": "write",
}


class Written(Protocol):
    """Where a value was written: a layer, and a file unless it is from code."""

    @property
    def layer(self) -> str: ...
    @property
    def file(self) -> Path | None: ...


class Want(NamedTuple):
    """An action that a value leads to."""

    action: Action
    what: str  # "my_engine.Engine", "http://localhost:8000"
    origin: Written
    where: Place | str

    def __str__(self) -> str:
        what = self.what if self.what.isprintable() else ascii(self.what)
        return f'{VERBS[self.action]} "{what}"'


def may(action: Action, origin: Written) -> bool:  # noqa: ARG001 - one answer for all, so far
    """Return whether a value may lead to this action without a question."""
    return origin.layer in YOURS or origin.file is None or trusts(origin.file)


def trusts(file: Path) -> bool:
    """Return whether a configuration file may act."""
    if os.environ.get(TRUST_VARIABLE) == "all" or os.environ.get("CI", "").lower() == "true":
        return True
    locations = locate()
    if is_yours(file, locations):
        return True
    inside = file.is_relative_to(locations.root)
    folders = {file.parent, locations.root} if inside else {file.parent}
    if any(map(code_runs_in, folders)):
        return True
    from dspy_profiles.config._trusted_files import TRUSTED  # not where code of the project runs

    return TRUSTED.has(file)


def read_of_project(file: Path, locations: Locations) -> Document:
    """Read a configuration file of a project; a link out of it only if it is trusted."""
    is_link = os.path.islink(file)  # noqa: PTH114 - may not raise
    if is_link and not is_inside(file, locations.checkout) and not trusts(file):
        raise Untrusted(
            f"{file.name} is a link out of the project, to {os.path.realpath(file)}",
            f"read that file, then run dspy-profiles trust {_target(file)}",
            Place(file),
        )
    return read_toml(file)


def is_yours(file: Path, locations: Locations) -> bool:
    """Return whether a file lies in your own folder, so that no project has brought it."""
    folders = {locations.user_file.parent, locations.user_config.parent}
    return any(file.is_relative_to(folder) for folder in folders)


def demand(wants: Iterable[Want], subject: str) -> None:
    """Raise Untrusted unless all of this may happen. `subject` begins the message."""
    refused = [want for want in wants if not may(want.action, want.origin)]
    if not refused:
        return
    first, *more = refused
    others = "".join(f"\n  and to {want} at {want.where}" for want in more)
    raise Untrusted(
        f"{subject} wants to {first}, and its file is not trusted{others}",
        hint=f"read the file, then run dspy-profiles trust {_target(first.origin.file)}",
        where=first.where,
    )


def _target(file: Path | None) -> str:
    """Return what to trust, as a word of a shell: the project, or a file of another name."""
    import shlex  # only for hints

    target = file or Path()
    if target.name in (PROFILES_FILE, PYPROJECT, ".env"):
        target = target.parent
    elif target.name == RESULTS:
        target = target.parent.parent
    return shlex.quote(str(target))
