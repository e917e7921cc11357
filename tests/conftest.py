"""A clean world for every test: an empty home, an empty project, nothing of ours remembered.

This must stay light: it is loaded for every test, also where no test needs DSPy.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dspy_profiles.config import _locations as locations
from dspy_profiles.config import _running as running
from dspy_profiles.profiles import _shadow as shadow
from dspy_profiles.secrets import _dotenv as environment
from dspy_profiles.secrets import _redaction as redaction

NUMBERS = count()
# Whatever a developer may have set for their own work.
FOREIGN = ("DSPY_*", "XDG_*", "*_API_KEY", "OPENAI_*")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep what lives to the end out of each collection of garbage."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class World:
    home: Path
    project: Path


@pytest.fixture(autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home and, in it, a project to stand in. What the test changes is put back after it."""
    environ, cwd = dict(os.environ), Path.cwd()
    home = tmp_path_factory.getbasetemp() / f"home{next(NUMBERS)}"  # mktemp gets slow with many
    project = home / "project"
    (project / ".git").mkdir(parents=True)  # so that nothing above counts
    for name in [name for name in environ if any(fnmatchcase(name, p) for p in FOREIGN)]:
        del os.environ[name]
    os.environ["HOME"] = os.environ["USERPROFILE"] = str(home)
    os.environ.pop("CI", None)  # what it means is a matter of the tests of trust
    os.environ["DSPY_PROFILES_TRUST"] = "all"
    os.chdir(project)
    _forget()
    yield World(home, project)
    _forget()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)


@pytest.fixture
def stranger(world: World) -> Iterator[None]:
    """The project is a stranger's: nobody has trusted it, and no code of it runs here."""
    del os.environ["DSPY_PROFILES_TRUST"]
    with running.unasked():  # a worker of xdist is started by `python -c`
        yield


@pytest.fixture
def home(world: World) -> Path:
    """The user's home folder."""
    return world.home


@pytest.fixture
def project(world: World) -> Path:
    """The working directory; it has a `.git` folder and nothing else."""
    return world.project


@pytest.fixture
def write(project: Path) -> Callable[[Path | str, str], Path]:
    """Writes a text, dedented, to a path; a relative one starts at the project."""

    def written(path: Path | str, text: str) -> Path:
        target = project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(dedent(text).removeprefix("\n").encode())
        return target

    return written


# Root may write anything. Without its capabilities it is an owner whom modes bind, and unlike
# another user it can still import what lies in a folder of its own. It keeps the one to read.
BOUND_BY_MODES = """
import os
if not os.geteuid():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets):
        raise OSError(ctypes.get_errno(), "capget")
    to_read = sets[1] & 1 << 2  # CAP_DAC_READ_SEARCH, if it is permitted
    if libc.capset(header, (ctypes.c_uint32 * 6)(to_read, to_read)):
        raise OSError(ctypes.get_errno(), "capset")
"""


@pytest.fixture(scope="session")
def bound_by_modes() -> str:
    """The beginning of a script that may write only what file modes allow, even for root."""
    return BOUND_BY_MODES


@pytest.fixture
def dev_and_staging(write: Callable[[str, str], Path]) -> Path:
    """The project's profiles: two that answer offline by names of their own, one with a key."""
    return write(
        "profiles.toml",
        """
        [dev]
        extends = "mock"
        lm.model = "dev"

        [staging]
        extends = "mock"
        lm.model = "staging"
        settings.num_threads = 7

        [prod]
        lm.model = "openai/gpt-4o"
        lm.api_key = "${PROD_KEY}"
        """,
    )


@pytest.fixture
def clean_dspy() -> Iterator[None]:
    """DSPy as a fresh process has it, and nothing of ours kept from another test."""
    import dspy

    from dspy_profiles import _dspy
    from dspy_profiles.activation import CACHE
    from dspy_profiles.objects import _build as build

    module: Any = sys.modules["dspy.dsp.utils.settings"]
    before = dict(module.main_thread_config)
    module.config_owner_thread_id = module.config_owner_async_task = None
    CACHE.clear()
    build._objects.clear()
    yield
    kind = type(module.main_thread_config).__name__
    dict.clear(module.main_thread_config)
    dict.update(module.main_thread_config, before)
    module.config_owner_thread_id = module.config_owner_async_task = None
    _dspy.history().clear()
    assert kind == "dotdict", "a session is still pinned"
    assert dspy.settings.lm is None


@pytest.fixture
def cache_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of DSPy's for this test alone."""
    import dspy

    made = dspy.clients.Cache(
        enable_disk_cache=False, enable_memory_cache=True, disk_cache_dir=None
    )
    monkeypatch.setitem(vars(dspy), "cache", made)


@pytest.fixture
def clean_calls(
    clean_dspy: None, cache_in_memory: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """A clean DSPy, its cache in memory; and no stage may be left behind."""
    import dspy

    from dspy_profiles.calls import STAGES

    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # prices come with DSPy
    yield
    assert STAGES not in dspy.settings, "stages still stand"


@pytest.fixture
def stand() -> Iterator[Callable[..., object]]:
    """Stands stages for the whole process until the test ends."""
    from dspy_profiles.activation import _stages as stages

    yield lambda *given: stages.set_process_stages(given)
    stages.set_process_stages(())


def _forget() -> None:
    """Empty what lives as long as the process; all private names that tests reset stand here."""
    locations.unpin_locations()
    redaction._known.clear()
    redaction._rules.clear()
    environment._from_files.clear()
    environment._from_profiles.clear()
    environment._left_out.clear()
    running._vouched.clear()
    shadow._reported.clear()
