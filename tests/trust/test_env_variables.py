"""What `.env` and `[x.env]` may set."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trust.conftest import Done, Outside

from dspy_profiles.secrets import is_never_set, needs_trust

Write = Callable[[Path | str, str], Path]
NEVER = (
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHON_KEYRING_BACKEND",
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "PATH",
    "HOME",
    "BASH_ENV",
    "GIT_SSH_COMMAND",
    "NODE_OPTIONS",
    "XDG_CONFIG_HOME",
)
PRINT = "import os, json\nprint(json.dumps(dict(os.environ)))"


def environment(done: Done) -> dict[str, str]:
    import json

    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("whose", ["the project's", "your own", "trusted"])
def test_no_file_sets_what_starts_or_finds_programs(
    whose: str,
    stranger: None,
    home: Path,
    project: Path,
    write: Write,
    command: Callable[..., Done],
) -> None:
    """Before: `run` gave the program a PYTHONPATH and an LD_PRELOAD of a cloned folder."""
    folder = home / ".dspy" if whose == "your own" else project
    file = write(folder / ".env", "".join(f"{name}=evil\n" for name in NEVER) + "PLAIN=yes\n")
    write("profiles.toml", '[x]\nlm.model = "m"\nlm.api_key = "none"\nenv.GIT_EDITOR = "evil"\n')
    write("show.py", PRINT)
    environ = {"DSPY_PROFILES_TRUST": "all"} if whose == "trusted" else {}
    done = command("run", "--profile", "x", "show.py", **environ)
    set_here = environment(done)
    assert set_here["PLAIN"] == "yes"
    assert not [name for name in (*NEVER, "GIT_EDITOR") if set_here.get(name) == "evil"]
    assert done.stderr.count(f"{file}: left out {', '.join(NEVER)}, which no file may set") == 1
    assert "left out GIT_EDITOR, which no file may set" in done.stderr


def test_the_name_of_a_profile_still_comes_from_an_env_file(
    stranger: None, write: Write, command: Callable[..., Done]
) -> None:
    write("profiles.toml", '[x]\nlm.model = "m"\nlm.api_key = "none"\n')
    write(".env", "DSPY_PROFILE=x\nDSPY_PROFILES_TRUST=all\nCI=true\n")
    done = command("which")
    assert done.stdout.startswith("x ")
    assert "DSPY_PROFILE" not in done.stderr


def test_a_file_does_not_trust_itself(
    trap: Path, mark: Path, write: Write, outside: Outside
) -> None:
    write("profiles.toml", '[x]\nprovider.class = "trap.Engine"\nenv.CI = "true"\n')
    write(".env", "CI=true\nDSPY_PROFILES_TRUST=all\n")
    done = outside("import dspy_profiles\nwith dspy_profiles.profile('x'): pass")
    assert "errors.Untrusted" in done.stderr
    assert not mark.exists()


def test_dspys_cache_is_not_a_folder_of_the_project(
    stranger: None, project: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    """Before: DSPy unpickled what lay in the folder that a cloned .env named."""
    write(".env", f"DSPY_CACHEDIR={project / 'cache'}\n")
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    code = """
        import dspy_profiles
        with dspy_profiles.profile('x'):
            import dspy
            print(dspy.clients.DISK_CACHE_DIR)
        """
    assert str(project) not in outside(code).stdout
    assert command("trust").returncode == 0
    assert outside(code).stdout == f"{project / 'cache'}\n"


@pytest.mark.parametrize("how", ["script", "module", "imported"])
def test_run_sets_it_before_dspy_is_imported_where_the_projects_code_runs(
    how: str, stranger: None, project: Path, write: Write, outside: Outside
) -> None:
    write(".env", f"DSPY_CACHEDIR={project / 'cache'}\nOPENAI_BASE_URL=http://localhost:1\n")
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    write(
        "own.py",
        "import dspy, os\nprint(dspy.clients.DISK_CACHE_DIR, os.environ['OPENAI_BASE_URL'])\n",
    )
    run = str(Path(os.sys.executable).with_name("dspy-profiles"))  # type: ignore[attr-defined]
    if how == "imported":
        start = [run, "run", "--profile", "x", "--"]
        done = outside("import sys\nsys.path.insert(0, '.')\nimport own", *start)
    else:
        words = ["own.py"] if how == "script" else ["-m", "own"]
        import subprocess

        done = subprocess.run(
            [run, "run", "--profile", "x", *words],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == f"{project / 'cache'} http://localhost:1\n", done.stderr
    assert "left out" not in done.stderr


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "LANGFUSE_PUBLIC_KEY", "AWS_REGION", "DEBUG"])
def test_what_programs_need_stays_free(name: str) -> None:
    assert not is_never_set(name)
    assert not needs_trust(name)
