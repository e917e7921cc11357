"""`%dspy_profile`: show, switch, list and turn off profiles."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display

from dspy_profiles.config import unasked
from dspy_profiles.errors import ProfileError, ProfileNotFound
from dspy_profiles_ipython._cell import run_whole
from dspy_profiles_ipython._errors import CELL, error_text, in_one_line, warned_in_one_line
from dspy_profiles_ipython._state import State, look

if TYPE_CHECKING:
    from dspy_profiles.profiles import Choice, ResolvedProfile
    from dspy_profiles_ipython._arguments import MagicArguments

NAMED_BY_YOU = ("from DSPY_PROFILE", "from DSPY_PROFILE_FORCE", "from DspyProfiles.default")

# Import other modules in functions: loading the extension must be quick.
__all__ = ["DspyProfileMagics"]


@magics_class
class DspyProfileMagics(Magics):
    """The magics of the extension."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, state: State) -> None:
        super().__init__(shell)
        self._state = state
        self._default = ""

    @needs_local_scope
    @no_var_expand
    @line_cell_magic
    def dspy_profile(
        self, line: str, cell: object = None, local_ns: Mapping[str, Any] | None = None
    ) -> None:
        """Switch this notebook to a DSPy profile, or show the active one.

        ::

            %dspy_profile [NAME] [--set KEY=VALUE] [--show]
            %dspy_profile --list
            %dspy_profile --off
            %%dspy_profile NAME [--set KEY=VALUE] [--cassette FILE [--cassettes MODE]]

        `%%dspy_profile NAME` runs one cell under a profile; `await` works in it.

        NAME              Profile to switch to. Default: show the active profile.
        --set KEY=VALUE   Override a value, as in lm.temperature=0. Repeatable.
        --show            Show a profile without switching to it.
        --list            List all profiles.
        --off             Turn the profile off.
        --cassette FILE   In a cell: replay responses from this file.
        --cassettes MODE  In a cell: once, new or all to record, none to replay only.
        """
        if cell is not None:
            run_whole(self.shell, CELL, line, cell)
            return
        from dspy_profiles_ipython._arguments import MagicArguments

        with in_one_line():
            arguments = MagicArguments.of_line(line, {**self.shell.user_ns, **(local_ns or {})})
            try:
                self._run(arguments)
            except ProfileNotFound as error:
                if arguments.name not in ("list", "off", "show"):
                    raise
                hint = f"did you mean %dspy_profile --{arguments.name}?"
                raise ProfileNotFound(error.message, hint, error.where) from None

    def _run(self, arguments: "MagicArguments") -> None:
        if arguments.cassette is not None:
            hint = f"{CELL} NAME --cassette {arguments.cassette}"
            raise UsageError(f"--cassette works in a cell only\n  hint: {hint}")
        look()
        match arguments.option:
            case "list":
                self._list()
            case "off":
                self._off()
            case None if arguments.name is not None or arguments.overrides:
                self._switch(arguments.name or self._active_name(), arguments.overrides)
            case _:
                self._show(arguments.name, arguments.overrides)

    def start(self, *, default: str, auto: bool) -> None:
        """Apply the profile of the environment; with `auto` the default, which else is shown."""
        self._default = default
        try:
            look()
            with warned_in_one_line():
                self._start(self._choice(), auto=auto)
        except Exception as error:  # noqa: BLE001 - the magics must load after any error
            sys.stderr.write(f"dspy: {error_text(error)}\n")

    def _start(self, choice: "Choice | None", *, auto: bool) -> None:
        if choice is None:
            return
        _check_exists(choice)
        name = choice.name
        if choice.is_default and not auto:
            command = _command(name)
            _print(f"dspy: the default profile is {name}; to apply it: {command}")
            return
        reason = "the default, auto" if choice.is_default else choice.reason.removeprefix("from ")
        if _is_of_run(name):
            reason = "dspy-profiles run"  # `run` activates it when DSPy is imported
        elif choice.reason in NAMED_BY_YOU:
            self._state.switch(name, {})
        else:  # a file of the project names it, and a cell has only loaded the extension
            with unasked():
                self._state.switch(name, {})
        _print(f"dspy: profile {name} ({reason})")

    def _choice(self) -> "Choice | None":
        """Return the profile that is active without a name, or None."""
        from dspy_profiles.profiles import Choice, Scene, choose

        try:
            choice = choose(Scene.now(), None)
        except ProfileNotFound:
            choice = None
        if self._default and (choice is None or choice.is_default):
            return Choice(self._default, NAMED_BY_YOU[-1], is_default=True)
        return choice

    def _active_name(self) -> str:
        """Return the profile that `--set` without a name overrides."""
        active = self._active()
        if active is not None:
            return active.name
        choice = self._choice()
        if choice is None:
            raise ProfileNotFound("no profile is active", hint="%dspy_profile NAME")
        return choice.name

    def _active(self) -> "ResolvedProfile | None":
        from dspy_profiles.config import SESSION_VARIABLE

        if "dspy" not in sys.modules:
            if SESSION_VARIABLE not in os.environ:
                return None
            import dspy  # noqa: F401 - `run` activates the profile at import
        from dspy_profiles.activation import current_profile

        return current_profile()

    def _switch(self, name: str, overrides: Mapping[str, Any]) -> None:
        from dspy_profiles.profiles import FORCE_VARIABLE, is_forced
        from dspy_profiles_ipython._display import Card

        applied = self._state.switch(name, overrides)
        active = self._active()
        display(Card.of(applied, state="active"))
        if is_forced() and applied.name != name:
            _print(f"{FORCE_VARIABLE} is set: every name means {applied.name}")
        elif active is not None and active != applied:
            _print(f"{active.name} stays active in this block")

    def _show(self, name: str | None, overrides: Mapping[str, Any]) -> None:
        from dspy_profiles.profiles import Choice, Scene, resolve_choice
        from dspy_profiles_ipython._display import Card

        active = self._active()
        if name is None and overrides:
            name = self._active_name()
        if name is not None:
            choice = Choice(name, "from %dspy_profile")
            found = resolve_choice(Scene.now(), choice, overrides, allow_plaintext=True)
            is_active = active is not None and active.values == found.values
            display(Card.of(found, state="active" if is_active else "not active"))
        elif active is None:
            self._print_inactive()
        else:
            display(Card.of(active, state=_why(active)))
            self._hint(active)

    def _print_inactive(self) -> None:
        choice = self._choice()
        hint = ""
        if choice is not None:
            try:
                _check_exists(choice)
            except ProfileNotFound as error:
                _print(f"no profile is active: {error_text(error)}")
                return
            hint = f"; the default is {choice.name}"
        _print(f"no profile is active{hint}; to apply one: %dspy_profile NAME")

    def _hint(self, active: "ResolvedProfile") -> None:
        """Print what has changed since the profile was applied."""
        if self._state.profile != active:
            return
        command = _command(active.name)
        if keys := self._state.configured_since():
            _print(f"dspy.configure has set {', '.join(keys)} since; to set it back: {command}")
        try:
            if self._state.is_outdated():
                _print(f"its file has changed since; to apply the changes: {command}")
        except ProfileError as error:
            _print(f"its file has changed since and is now invalid: {error_text(error)}")

    def _list(self) -> None:
        from dspy_profiles_ipython._display import Table

        active = self._active()
        display(Table.of(None if active is None else active.name, self._choice()))
        if active is not None:
            self._hint(active)

    def _off(self) -> None:
        before = self._state.off()
        text = "no profile was applied" if before is None else f"profile {before.name} is off"
        now = self._active()
        _print(f"{text}{f'; {now.name} is active, {now.reason}' if now is not None else ''}")


def _command(name: str) -> str:
    """Return the command that switches to a profile."""
    from dspy_profiles_ipython._arguments import quote

    return f"%dspy_profile {quote(name)}"


def _print(text: str) -> None:
    from dspy_profiles.display import visible

    sys.stdout.write(visible(f"{text}\n"))


def _why(active: "ResolvedProfile") -> str:
    """Return "active", and why if not by a magic."""
    by_argument = active.reason == "from the argument"
    return "active" if by_argument else f"active, {active.reason}"


def _check_exists(choice: "Choice") -> None:
    from dspy_profiles.profiles import Scene

    Scene.now().catalog.get(choice.name, choice.reason)


def _is_of_run(name: str) -> bool:
    """Return whether `dspy-profiles run` runs this process under that profile."""
    from dspy_profiles.config import SESSION_VARIABLE

    text = os.environ.get(SESSION_VARIABLE)
    if text is None:
        return False
    from dspy_profiles.run.session import Session

    return Session.from_text(text).profile == name
