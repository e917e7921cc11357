"""Whether code of a folder runs in this process already: then a question would protect nobody."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

__all__ = ["code_runs_in", "unasked", "vouch_for", "vouch_for_code"]

LIBRARIES = frozenset({"site-packages", "dist-packages"})
OURS = frozenset({"dspy_profiles", "dspy_profiles_ipython", "pytest_dspy_profiles"})
STDIN = "<stdin>"
TYPED = ("", "-", "-c")  # what stands in place of a script: a REPL, standard input, an argument
ENVIRONMENT = "pyvenv.cfg"  # the file that makes a folder a virtual environment

_vouched: set[str] = set()  # folders, with links resolved
_ignores_typing = ContextVar("dspy_profiles_ignores_typing", default=False)


@contextmanager
def unasked() -> Iterator[None]:
    """Do something that nobody has typed, although a notebook or a REPL is open: `%load_ext`."""
    token = _ignores_typing.set(True)
    try:
        yield
    finally:
        _ignores_typing.reset(token)


def vouch_for(folder: Path) -> None:
    """Take it as known that code of this folder runs: pytest will import its tests."""
    _vouched.add(os.path.realpath(folder))


def code_runs_in(folder: Path) -> bool:
    """Return whether code of a folder runs here, or code that somebody has typed.

    That is the main module, a module that was imported, or a function that leads here; packages
    that are installed in an environment inside of the folder do not count.
    """
    real = os.path.realpath(folder)
    if real in _vouched:
        return True
    frames = list(_frames())
    if _is_typed(frames) or _has_code(real, frames) or _has_module(real, str(folder)):
        _vouched.add(real)
        return True
    return False


def vouch_for_code(files: Iterable[Path], folder: Path) -> None:
    """Take it as known that code of this folder runs, if one of the files is code of it."""
    real = os.path.realpath(folder)
    if any(_is_file_of(real, str(file)) for file in files):
        _vouched.add(real)


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_typed(frames: Sequence[FrameType]) -> bool:
    """Return whether somebody has typed the code: a cell, a REPL, `python -c`."""
    if _ignores_typing.get():
        return False
    main = sys.modules.get("__main__")
    names = getattr(main, "__dict__", {})
    if names.get("__file__", STDIN) != STDIN or names.get("__spec__") is not None:
        return False
    if "get_ipython" not in names:
        return getattr(sys, "argv", ["?"])[:1] in ([], *([word] for word in TYPED))
    # A shell of IPython that only starts has no input yet, but loads its extensions.
    return len(names.get("In", ())) > 1 or any(frame.f_globals is names for frame in frames)


def _has_code(root: str, frames: Sequence[FrameType]) -> bool:
    """Return whether the main module, or a function that leads here, is of a folder."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    files = {f.f_code.co_filename for f in frames if not _is_ours(f.f_globals.get("__name__"))}
    return any(_is_file_of(root, file) for file in {*files, main or ""})


def _has_module(root: str, spelled: str) -> bool:
    """Return whether a module of a folder was imported."""
    starts = tuple({os.path.join(folder, "") for folder in (root, spelled)})  # noqa: PTH118 - texts
    for name, module in list(sys.modules.items()):
        file: object = getattr(module, "__file__", None)
        if not isinstance(file, str) or _is_ours(name):
            continue
        if file.startswith(starts) and _is_file_of(root, file):
            return True
    return False


def _is_ours(module: object) -> bool:
    return str(module).partition(".")[0] in OURS


def _is_file_of(root: str, file: str) -> bool:
    if file.startswith("<"):  # "<string>" and "<frozen runpy>" are no files, even if some exist
        return False
    real = os.path.realpath(file)
    return os.path.isfile(real) and _is_code(real, root)  # noqa: PTH113 - a text


def _is_code(path: str, root: str) -> bool:
    """Return whether a file is a folder's own, and not of an environment inside of it."""
    if not _is_below(path, root):
        return False
    inner = Path(os.path.relpath(path, root)).parts[:-1]
    if LIBRARIES.intersection(inner):
        return False
    for prefix in {sys.prefix, sys.base_prefix}:
        real = os.path.realpath(prefix)
        if _is_below(real, root) and _is_below(path, real):
            return False
    folders = [os.path.join(root, *inner[:depth]) for depth in range(len(inner) + 1)]  # noqa: PTH118
    return not any(os.path.exists(os.path.join(f, ENVIRONMENT)) for f in folders)  # noqa: PTH110, PTH118


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))  # noqa: PTH118
