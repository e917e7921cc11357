"""`%dspy_profile`: show, switch, list, and go back to what was before."""

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

from dspy_profiles.errors import ProfileError, ProfileNotFound
from dspy_profiles_ipython._cell import run_whole
from dspy_profiles_ipython._errors import CELL, in_one_line, said, warned_in_one_line
from dspy_profiles_ipython._state import State, look

if TYPE_CHECKING:
    from dspy_profiles.profiles import Choice, ResolvedProfile
    from dspy_profiles_ipython._asked import MagicArguments

# What a magic needs is imported when it is used: loading the extension is to cost next to nothing.
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
        """Switch this notebook to a DSPy profile, or show the one that it is on.

        ::

            %dspy_profile [NAME] [--set KEY=VALUE] [--show]
            %dspy_profile --list
            %dspy_profile --off
            %%dspy_profile NAME [--set KEY=VALUE] [--cassette FILE [--cassettes MODE]]

        `%%dspy_profile NAME` runs one cell under a profile; `await` works in it.

        NAME              the profile to switch to; without one, show the active one
        --set KEY=VALUE   override a value, as in lm.temperature=0; may be repeated
        --show            show a profile, and switch to none
        --list            list all profiles
        --off             go back to what was before
        --cassette FILE   of a cell: replay what models say from a file
        --cassettes MODE  of a cell: none; once, new or all to record
        """
        if cell is not None:
            run_whole(self.shell, CELL, line, cell)
            return
        from dspy_profiles_ipython._asked import MagicArguments

        with in_one_line():
            asked = MagicArguments.of_a_line(line, {**self.shell.user_ns, **(local_ns or {})})
            try:
                self._do(asked)
            except ProfileNotFound as error:
                if asked.name not in ("list", "off", "show"):
                    raise
                hint = f"did you mean %dspy_profile --{asked.name}?"
                raise ProfileNotFound(error.message, hint, error.where) from None

    def _do(self, asked: "MagicArguments") -> None:
        if asked.cassette is not None:
            raise UsageError(
                f"a cassette is for one cell\n  hint: {CELL} NAME --cassette {asked.cassette}"
            )
        look()
        match asked.option:
            case "list":
                self._list()
            case "off":
                self._off()
            case None if asked.name is not None or asked.overrides:
                self._switch(asked.name or self._own_name(), asked.overrides)
            case _:
                self._show(asked.name, asked.overrides)

    def start(self, *, default: str, auto: bool) -> None:
        """At load: what the environment names is applied; a default is shown, unless `auto`."""
        self._default = default
        try:
            look()
            with warned_in_one_line():
                self._start(self._choice(), auto=auto)
        except Exception as error:  # noqa: BLE001 - whatever it is, the magics are there to mend it
            sys.stderr.write(f"dspy: {said(error)}\n")

    def _start(self, choice: "Choice | None", *, auto: bool) -> None:
        if choice is None:
            return
        _check_that_it_is_there(choice)
        name = choice.name
        if choice.is_default and not auto:
            command = _command(name)
            sys.stdout.write(f"dspy: the default profile is {name}; {command} applies it\n")
            return
        reason = "the default, auto" if choice.is_default else choice.reason.removeprefix("from ")
        if _is_of_run(name):
            reason = "dspy-profiles run"  # it comes with the import of DSPy
        else:
            self._state.switch(name, {})
        sys.stdout.write(f"dspy: profile {name} ({reason})\n")

    def _choice(self) -> "Choice | None":
        """The profile that applies where none is named, if one does."""
        from dspy_profiles.profiles import Choice, Scene, choose

        try:
            choice = choose(Scene.now(), None)
        except ProfileNotFound:
            choice = None
        if self._default and (choice is None or choice.is_default):
            return Choice(self._default, "from DspyProfiles.default", is_default=True)
        return choice

    def _own_name(self) -> str:
        """Whose values `--set` alone overrides."""
        active = self._active()
        if active is not None:
            return active.name
        choice = self._choice()
        if choice is None:
            raise ProfileNotFound("no profile is active", hint="name one: %dspy_profile NAME")
        return choice.name

    def _active(self) -> "ResolvedProfile | None":
        from dspy_profiles.config import SESSION_VARIABLE

        if "dspy" not in sys.modules:
            if SESSION_VARIABLE not in os.environ:
                return None
            import dspy  # noqa: F401 - `run` activates at the import
        from dspy_profiles.activation import current_profile

        return current_profile()

    def _switch(self, name: str, overrides: Mapping[str, Any]) -> None:
        from dspy_profiles.profiles import FORCE_VARIABLE, is_forced
        from dspy_profiles_ipython._display import Card

        applied = self._state.switch(name, overrides)
        active = self._active()
        display(Card.of(applied, state="active"))
        if is_forced() and applied.name != name:
            _tell(f"{FORCE_VARIABLE} is set: every name stands for {applied.name}")
        elif active is not None and active != applied:
            _tell(f"inside of this block {active.name} stays in force")

    def _show(self, name: str | None, overrides: Mapping[str, Any]) -> None:
        from dspy_profiles.profiles import Choice, Scene, resolve_choice
        from dspy_profiles_ipython._display import Card

        active = self._active()
        if name is None and overrides:
            name = self._own_name()
        if name is not None:
            choice = Choice(name, "from %dspy_profile")
            found = resolve_choice(Scene.now(), choice, overrides, allow_plaintext=True)
            is_active = active is not None and active.values == found.values
            display(Card.of(found, state="active" if is_active else "not active"))
        elif active is None:
            self._say_that_none_is_active()
        else:
            display(Card.of(active, state=_why(active)))
            self._hint(active)

    def _say_that_none_is_active(self) -> None:
        choice = self._choice()
        hint = ""
        if choice is not None:
            try:
                _check_that_it_is_there(choice)
            except ProfileNotFound as error:
                _tell(f"no profile is active: {said(error)}")
                return
            hint = f"; the default is {choice.name}"
        _tell(f"no profile is active{hint}: %dspy_profile NAME applies one")

    def _hint(self, active: "ResolvedProfile") -> None:
        """What has changed since the profile was applied."""
        if self._state.profile != active:
            return
        command = _command(active.name)
        if keys := self._state.configured_since():
            _tell(f"dspy.configure has set {', '.join(keys)} since: {command} sets it back")
        try:
            if self._state.is_outdated():
                _tell(f"its file has changed since: {command} takes it up")
        except ProfileError as error:
            _tell(f"its file has changed since, and cannot be taken up: {said(error)}")

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
        _tell(f"{text}{f'; {now.name} is active, {now.reason}' if now is not None else ''}")


def _command(name: str) -> str:
    """What is to be typed to switch to a profile."""
    from dspy_profiles_ipython._words import quoted

    return f"%dspy_profile {quoted(name)}"


def _tell(text: str) -> None:
    from dspy_profiles.secrets import redact

    sys.stdout.write(redact(f"{text}\n"))


def _why(active: "ResolvedProfile") -> str:
    """Who has activated it, if not a magic."""
    by_argument = active.reason == "from the argument"
    return "active" if by_argument else f"active, {active.reason}"


def _check_that_it_is_there(choice: "Choice") -> None:
    from dspy_profiles.profiles import Scene

    Scene.now().catalog.get(choice.name, choice.reason)


def _is_of_run(name: str) -> bool:
    """Whether `dspy-profiles run` has this process on that profile."""
    from dspy_profiles.config import SESSION_VARIABLE

    text = os.environ.get(SESSION_VARIABLE)
    if text is None:
        return False
    from dspy_profiles.run.session import Session

    return Session.from_text(text).profile == name
