"""`%dspy_profile`: show, switch, list, and go back to what was before."""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics as BaseMagics
from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from dspy_profiles.assignments import nested
from dspy_profiles.errors import ProfileError, ProfileNotFound
from dspy_profiles_ipython.cell import MAGIC, usage_error
from dspy_profiles_ipython.state import State

__all__ = ["Magics", "cell_words"]


def in_one_line(magic: Callable[..., None]) -> Callable[..., None]:
    """Errors of ours without a traceback."""

    @wraps(magic)
    def told(*arguments: Any) -> None:
        try:
            magic(*arguments)
        except ProfileError as error:
            raise usage_error(error) from None

    return told


@magics_class
class Magics(BaseMagics):
    """The magics of the extension."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, state: State) -> None:
        super().__init__(shell)
        self._state = state

    @magic_arguments()
    @argument("name", nargs="?", help="The profile to switch to; without one, show the active one.")
    @argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="Override a value, as in lm.temperature=0; may be repeated.",
    )
    @argument("--list", action="store_true", help="List all profiles.")
    @argument("--show", action="store_true", help="Show a profile, and switch to none.")
    @argument("--off", action="store_true", help="Go back to what was before.")
    @line_cell_magic
    @in_one_line
    def dspy_profile(self, line: str, cell: str | None = None) -> None:
        """Switch this notebook to a DSPy profile, or show the one that it is on.

        `%%dspy_profile NAME` runs one cell under a profile; `await` works in it.

        ::

            %dspy_profile prod
            %dspy_profile prod --set lm.temperature=0
            %dspy_profile --list
            %dspy_profile --off
        """
        if cell is not None:  # called by a program; a cell that is typed never comes here
            self.shell.run_cell(f"{MAGIC} {line}\n{cell}")
            return
        said = parse_argstring(self.dspy_profile, line)
        if said.list:
            self._list()
        elif said.off:
            self._off()
        elif said.show or not (said.name or said.set):
            self._show(said.name)
        else:
            self._switch(said.name or self._own_name(), nested(said.set))

    def start(self, *, named: str | None, default: str, auto: bool) -> None:
        """At load: what the environment names is applied; a default is shown, unless `auto`."""
        try:
            self._start(named, default, auto=auto)
        except ProfileError as error:
            sys.stderr.write(f"dspy: {usage_error(error)}\n")

    def _start(self, named: str | None, default: str, *, auto: bool) -> None:
        if named:
            active = self._active()
            if active is None or active.name != named:  # `run` may have applied it
                self._state.switch(named, {})
            sys.stdout.write(f"dspy: profile {named} (DSPY_PROFILE)\n")
            return
        name = default or self._default()
        if name and auto:
            self._state.switch(name, {})
            sys.stdout.write(f"dspy: profile {name} (the default, auto)\n")
        elif name:
            sys.stdout.write(
                f"dspy: the default profile is {name}; %dspy_profile {name} applies it\n"
            )

    def _default(self) -> str | None:
        from dspy_profiles.portrait import applying
        from dspy_profiles.resolver import Scene

        choice = applying(Scene.now())
        return None if choice is None else choice.name

    def _own_name(self) -> str:
        """Whose values `--set` alone overrides."""
        active = self._active()
        name = active.name if active is not None else self._default()
        if name is None:
            raise ProfileNotFound("no profile is active", hint="name one: %dspy_profile NAME")
        return name

    def _active(self) -> Any:
        if "dspy" not in sys.modules and self._state.profile is None:
            import os

            from dspy_profiles.locations import SESSION_VARIABLE  # `run` activates at the import

            if SESSION_VARIABLE not in os.environ:
                return None
            import dspy  # noqa: F401
        from dspy_profiles.activation import current_profile

        return current_profile()

    def _switch(self, name: str, overrides: Mapping[str, Any]) -> None:
        from dspy_profiles_ipython.display import Card

        display(Card.of(self._state.switch(name, overrides), is_active=True))

    def _show(self, name: str | None) -> None:
        from dspy_profiles.resolver import Choice, Scene, resolve_in
        from dspy_profiles_ipython.display import Card

        active = self._active()
        if name is not None:
            scene = Scene.now()
            found = resolve_in(scene, Choice(name, "from the magic"), allow_plaintext=True)
            is_active = active is not None and active.name == name
            display(Card.of(found, is_active=is_active))
            return
        if active is None:
            default = self._default()
            hint = f"; the default is {default}" if default else ""
            sys.stdout.write(f"no profile is active{hint}: %dspy_profile NAME applies one\n")
            return
        display(Card.of(active, is_active=True))
        for path in self._state.changed_files():
            from dspy_profiles.wording import on_path

            sys.stdout.write(
                f"{on_path(path)} has changed since: %dspy_profile {active.name} takes it up\n"
            )

    def _list(self) -> None:
        from dspy_profiles_ipython.display import Table

        active = self._active()
        display(Table.of(None if active is None else active.name))

    def _off(self) -> None:
        before = self._state.off()
        said = "no profile was applied" if before is None else f"profile {before.name} is off"
        now = self._active()
        sys.stdout.write(f"{said}{f'; {now.name} is active' if now is not None else ''}\n")


def cell_words(words: str) -> tuple[str, Mapping[str, Any]]:
    """What stands behind `%%dspy_profile`: a name, and overrides."""
    said = parse_argstring(Magics.dspy_profile, words)
    if said.list or said.show or said.off:
        raise UsageError("%%dspy_profile takes NAME and --set; --list, --show and --off go with %")
    if said.name is None:
        raise UsageError("%%dspy_profile needs the name of a profile")
    return said.name, nested(said.set)
