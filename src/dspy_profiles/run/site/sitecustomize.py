# ruff: noqa: INP001 - a folder on PYTHONPATH, not a package
"""Starts with every Python below `dspy-profiles run`; once DSPy is imported, activates the profile.

All of it stands in this one file, and before that it does next to nothing: it is read by programs
that never use DSPy, and by interpreters that are older than this package or do not have it.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import NoReturn

DSPY = "dspy"
OURS = "dspy_profiles"
SESSION = "DSPY_PROFILES_SESSION"
HELD = '"held": true'


class Finder:
    """Finds DSPy as the other finders do; the profile is activated once it has been executed.

    A module of ours that is importing DSPy is not ready at that moment, and the activation may
    need it. It then waits until the outermost such module is.
    """

    def __init__(self) -> None:
        self.activated: ModuleType | None = None
        self.waiting: tuple[int, ModuleType] | None = None

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        is_dspy = name == DSPY
        if not is_dspy and (not _is_ours(name) or DSPY in sys.modules):
            return None
        spec = self._found_by_others(name, path, target)
        if spec is None or spec.loader is None:  # no DSPy, or a folder that has its name
            return spec
        if is_dspy:
            _before_dspy()
            _follow(spec.loader, self.dspy_was_executed)
        else:
            _follow(spec.loader, self.ours_was_executed, or_failed=True)
        return spec

    def dspy_was_executed(self, module: "ModuleType") -> None:
        if module is self.activated:  # reloaded: its settings, and the pin, are those from before
            return
        if _is_ours_underway():
            self.waiting = (get_ident(), module)
        else:
            self.activate(module)

    def ours_was_executed(self, _module: "ModuleType") -> None:
        waiting = self.waiting
        if waiting is not None and waiting[0] == get_ident() and not _is_ours_underway():
            self.waiting = None
            self.activate(waiting[1])

    def activate(self, module: "ModuleType") -> None:
        if self.activated is not None:  # imported anew: ours belongs to the DSPy that is gone
            for name in [name for name in sys.modules if _is_ours(name)]:
                del sys.modules[name]
        try:
            from dspy_profiles.run import _child
        except Exception as error:  # noqa: BLE001 - going on without the profile would be worse
            _end(_without_ours(error), 4)
        fault = _child.activate()
        if fault is not None:
            _end(*fault)
        self.activated = module

    def _found_by_others(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        for other in list(sys.meta_path):
            find = None if other is self else getattr(other, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None


def _before_dspy() -> None:
    """Set variables that DSPy reads as it is imported, and that the parent has held back."""
    if HELD in os.environ.get(SESSION, ""):
        try:
            from dspy_profiles.run._early import set_held_variables
        except Exception:  # noqa: BLE001 - it is told once DSPy is imported
            return
        set_held_variables()


def _follow(
    loader: "Loader", then: "Callable[[ModuleType], None]", or_failed: bool = False
) -> None:
    """Have `then` called when this one loader has executed its module."""
    execute = loader.exec_module

    def exec_module(module: "ModuleType") -> None:
        try:
            execute(module)
        except BaseException:
            if or_failed:
                then(module)
            raise
        then(module)

    loader.exec_module = exec_module  # type: ignore[method-assign]


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == OURS


def _is_ours_underway() -> bool:
    """Whether this thread is in the middle of importing a module of ours."""
    frame = sys._getframe()  # noqa: SLF001 - nothing else knows
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name == "<module>" and _is_ours(str(frame.f_globals.get("__name__"))):
            return True
    return False


def _without_ours(error: Exception) -> str:
    profile = os.environ.get("DSPY_PROFILE")
    return (
        f"`dspy-profiles run` has this program on the profile {profile!r}, and "
        f"{sys.executable} cannot activate it: {type(error).__name__}: {error}\n"
        "  hint: install dspy-profiles into that environment, too"
    )


def _end(text: str, code: int) -> "NoReturn":
    """End the process: on another LM than it was told to use, it must not go on."""
    if sys.stderr is not None:
        sys.stderr.write(f"dspy-profiles: error: {text}\n")
    import threading

    if threading.current_thread() is not threading.main_thread():
        # SystemExit would end this thread alone, or reach whoever waits for its result; the rest
        # of the program would go on.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)
    raise SystemExit(code) from ImportError(text)  # for hosts that show what ended an import


def _run_the_users_own() -> None:
    """The `sitecustomize` that would have been imported without us, if there is one."""
    here = os.path.dirname(__file__)  # noqa: PTH120 - pathlib would cost more than all the rest
    sys.path[:] = [folder for folder in sys.path if folder != here]
    ours = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = ours


if os.environ.get(SESSION):
    # Before the user's own, which may import DSPy, or fail.
    sys.meta_path.insert(0, Finder())
_run_the_users_own()
