"""Loading, reloading, unloading: what comes, and that nothing stays."""

import atexit
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import plugins
from dspy_profiles.config import _locations as locations

EXTENSION = "dspy_profiles_ipython"


def everything(shell: Any) -> dict[str, Any]:
    """Whatever a shell and DSPy hold that an extension could leave something in."""
    ip = shell.ip
    settings = sys.modules["dspy.dsp.utils.settings"]
    return {
        "magics": {kind: dict(table) for kind, table in ip.magics_manager.magics.items()},
        "registry": dict(ip.magics_manager.registry),
        "lazy": dict(ip.magics_manager.lazy_magics),
        "matchers": list(ip.Completer.custom_matchers),
        "cleanup": list(ip.input_transformers_cleanup),
        "post": list(ip.input_transformers_post),
        "lines": list(ip.input_transformer_manager.line_transforms),
        "tree": list(ip.ast_transformers),
        "names": sorted(name for name in ip.user_ns if not name.startswith("_i")),
        "hidden": sorted(name for name in ip.user_ns_hidden if not name.startswith("_i")),
        "configurables": list(ip.configurables),
        "events": {name: list(each) for name, each in ip.events.callbacks.items()},
        "hooks": {name: str(each) for name, each in ip.hooks.items()},
        "custom exceptions": ip.custom_exceptions,
        "excepthook": sys.excepthook,
        "settings": dict(settings.main_thread_config),
        "kind of settings": type(settings.main_thread_config),
        "overrides": dict(settings.thread_local_overrides.get()),
        "pinned": locations.are_locations_pinned(),
        "listening": set(plugins.listening),
        "cwd": Path.cwd(),
        "callbacks": list(dspy.settings.callbacks),
        "at exit": atexit._ncallbacks(),
    }


@pytest.mark.parametrize("mine", [{}, {"lm": dspy.LM("mine"), "num_threads": 3}])
def test_unloading_leaves_nothing_behind(bare: Any, mine: Any) -> None:
    bare("%load_ext nothing_of_that_name\n%unload_ext nothing_of_that_name")
    bare("%lsmagic")  # IPython loads its own magics when they are used
    plugins.manager()
    bare.load()
    bare("%dspy_profile --list")  # IPython brings its own magics when the first one is used
    bare.unload()
    dspy.configure(**mine)
    before = everything(bare)
    bare.load()
    assert everything(bare) != before
    bare("%dspy_profile prod --set lm.temperature=0")
    bare("%%dspy_profile dev\nx = 1")
    bare("%dspy_profile nobody")
    bare("%dspy_profile dev")
    bare("%dspy_profile")
    bare("%dspy_profile --list")
    bare("del x")
    said = bare.unload()
    assert said.error is None
    assert said.out == "dspy: profile dev is off\n"
    after = everything(bare)
    assert {key: after[key] for key in before if after[key] != before[key]} == {}


def test_unloading_keeps_what_the_user_has_configured_since(shell: Any) -> None:
    shell("%dspy_profile prod")
    mine = dspy.LM("mine")
    dspy.configure(lm=mine)
    shell.unload()
    assert dspy.settings.lm is mine


def test_loading_unloading_and_reloading_again_is_harmless(shell: Any) -> None:
    once = everything(shell)
    shell.load()
    __import__(EXTENSION).load_ipython_extension(shell.ip)
    twice = everything(shell)
    assert not [key for key in once if twice[key] != once[key]]
    shell("%dspy_profile dev")
    __import__(EXTENSION).load_ipython_extension(shell.ip)
    assert shell.lm() == "openai/dev"
    for _ in range(2):
        said = shell(f"%reload_ext {EXTENSION}")
        assert said.error is None
    assert shell.lm() is None
    assert len(everything(shell)["matchers"]) == len(once["matchers"])
    assert len(everything(shell)["tree"]) == len(once["tree"])
    assert shell("%%dspy_profile dev\n__import__('dspy').settings.lm.model").value == "openai/dev"
    shell.unload()
    said = shell.unload()
    assert said.error is None
    __import__(EXTENSION).unload_ipython_extension(shell.ip)
    assert "not found" in shell("%dspy_profile").err


def test_the_variable_is_applied_at_load_and_said(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "dev")
    said = bare.load()
    assert said.out == "dspy: profile dev (DSPY_PROFILE)\n"
    assert bare.lm() == "openai/dev"
    bare("%dspy_profile --off")
    assert bare.lm() is None


def test_the_variable_in_an_env_file_counts_as_well(bare: Any, write: Any) -> None:
    write(".env", "DSPY_PROFILE=prod\n")
    assert bare.load().out == "dspy: profile prod (DSPY_PROFILE in .env)\n"
    assert bare.lm() == "openai/prod"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("devv", 'dspy: profile "devv" not found (from DSPY_PROFILE)'),
        ("keyless", "NOT_THERE"),
    ],
)
def test_a_variable_that_cannot_be_applied_is_told_and_the_magics_are_there(
    bare: Any, monkeypatch: pytest.MonkeyPatch, name: Any, said: Any
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", name)
    told = bare.load()
    assert told.error is None
    assert said in told.err
    assert "Traceback" not in told.text
    assert bare.lm() is None
    assert bare("%dspy_profile dev").error is None


def test_a_broken_file_is_told_and_the_magics_are_there(bare: Any, profiles: Path) -> None:
    good = profiles.read_text()
    profiles.write_text("[dev\n")
    told = bare.load()
    assert (told.error, told.out) == (None, "")
    assert "profiles.toml:1" in told.err
    profiles.write_text(good)
    assert bare("%dspy_profile dev").error is None


def test_a_folder_that_is_gone_is_told_and_the_magics_are_there(
    new_shell: Any, tmp_path: Path
) -> None:
    shell = new_shell()
    here = tmp_path / "gone"
    here.mkdir()
    os.chdir(here)
    here.rmdir()
    told = shell.load()
    assert told.error is None
    assert "working directory does not exist" in told.err
    os.chdir(tmp_path)
    assert shell("%dspy_profile mock").error is None


def test_a_broken_provider_is_told_and_the_magics_are_there(
    new_shell: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("own_provider.py", "raise RuntimeError('mine')\n")
    write("profiles.toml", '[own.provider]\nclass = "own_provider.Provider"\n')
    monkeypatch.setenv("DSPY_PROFILE", "own")
    shell = new_shell()
    told = shell.load()
    assert told.error is None
    assert "own_provider" in told.err
    assert "Traceback" not in told.text
    assert shell("%dspy_profile mock").error is None


@pytest.mark.parametrize("by", ["setting", "name", "config"])
def test_a_default_is_only_shown(new_shell: Any, write: Any, by: Any) -> None:
    name = "default" if by == "name" else "dev"
    write("profiles.toml", f'[{name}.provider]\nclass = "mock"\n')
    if by == "setting":
        write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "dev"\n')
    shell = new_shell(**({"DspyProfiles": {"default": "dev"}} if by == "config" else {}))
    said = shell.load()
    assert said.out == f"dspy: the default profile is {name}; to apply it: %dspy_profile {name}\n"
    assert shell.lm() is None


@pytest.mark.parametrize("by", ["setting", "config"])
def test_a_default_is_applied_with_auto(
    new_shell: Any, profiles: Path, write: Any, by: Any
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "prod"\n')
    config = {"auto": True} | ({"default": "dev"} if by == "config" else {})
    shell = new_shell(DspyProfiles=config)
    name = "dev" if by == "config" else "prod"
    assert shell.load().out == f"dspy: profile {name} (the default, auto)\n"
    assert shell.lm() == f"openai/{name}"


def test_the_variable_wins_over_a_default(
    new_shell: Any, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_PROFILE", "prod")
    shell = new_shell(DspyProfiles={"default": "dev", "auto": True})
    assert shell.load().out == "dspy: profile prod (DSPY_PROFILE)\n"


@pytest.mark.parametrize("auto", [True, False])
def test_a_default_that_is_not_there_is_told(new_shell: Any, profiles: Path, auto: Any) -> None:
    shell = new_shell(DspyProfiles={"default": "devv", "auto": auto})
    said = shell.load()
    assert (said.error, said.out) == (None, "")
    assert 'did you mean "dev"?' in said.err


def test_without_profiles_loading_says_nothing(new_shell: Any) -> None:
    assert new_shell().load().text == ""


def test_the_magic_passes_a_pin(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that `dspy-profiles run` has started."""
    from dspy_profiles.activation import CACHE
    from dspy_profiles.activation import _session as session

    pinned = session.pin_session(CACHE.get("prod", {}))
    try:
        bare.load()
        assert "prod  (active)" in bare("%dspy_profile").text
        bare("%dspy_profile dev")
        assert bare.lm() == "openai/dev"
        assert bare("%dspy_profile --off").out.startswith("profile dev is off; prod is active")
        assert bare.lm() == "openai/prod"
        bare("%dspy_profile dev")
        bare.unload()
        assert bare.lm() == "openai/prod"
    finally:
        pinned.release()


SCRIPT = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
before = set(sys.modules)
shell.run_cell("%load_ext dspy_profiles_ipython")
for cell in sys.argv[1:]:
    shell.run_cell(cell)
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""


def brought_in(*cells: str, **env: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *cells],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"dspy", "typer", "rich", "jinja2", "pluggy", "tomlkit", "filelock", "litellm"}


def test_loading_imports_next_to_nothing(profiles: Path) -> None:
    found = brought_in()
    assert not found & HEAVY
    assert "locale" not in found  # argparse asks it for every parser: none is made yet


def test_looking_imports_no_dspy(profiles: Path) -> None:
    found = brought_in("%dspy_profile --list", "%dspy_profile", "%dspy_profile --show dev")
    assert not found & {"dspy", "typer", "litellm"}


RUN = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
shell.run_cell("import sys; print('dspy' in sys.modules)")
shell.run_cell("%load_ext dspy_profiles_ipython")
shell.run_cell("print('dspy' in sys.modules)")
shell.run_cell("%dspy_profile")
shell.run_cell("import dspy; print(dspy.settings.lm.model)")
shell.run_cell("dspy.configure(lm=dspy.LM('mine')); print(dspy.settings.lm.model)")
shell.run_cell("%dspy_profile dev")
shell.run_cell("print(dspy.settings.lm.model)")
shell.run_cell("%%dspy_profile base\\nprint(dspy.settings.lm.model)")
shell.run_cell("import os; os.chdir('/'); get_ipython().run_line_magic('dspy_profile', 'prod')")
shell.run_cell("%dspy_profile --off")
shell.run_cell("print(dspy.settings.lm.model)")
"""


def test_below_run_its_profile_holds_and_the_magic_passes_it(profiles: Path, write: Any) -> None:
    write("session.py", RUN)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dspy_profiles",
            "run",
            "-p",
            "prod",
            "--",
            sys.executable,
            "session.py",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    models = [line for line in lines if line.startswith("openai/")]
    assert models == ["openai/prod", "openai/prod", "openai/dev", "openai/base", "openai/prod"]
    assert lines[:3] == ["False", "dspy: profile prod (dspy-profiles run)", "False"]
    assert "prod  (active, from --profile)" in done.stdout
    assert "dev  for <b>work</b>  (active)" in done.stdout
