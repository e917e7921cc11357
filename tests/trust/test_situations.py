"""Where nobody is asked: code of the project runs already, or it was trusted as it is."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trust.conftest import Done, Outside

Write = Callable[[Path | str, str], Path]
USE = "import dspy_profiles\nwith dspy_profiles.profile('x') as p:\n    print(p.name)\n"


@pytest.fixture(autouse=True)
def profiles(trap: Path, write: Write) -> Path:
    return write("profiles.toml", '[x]\nprovider.class = "trap.Engine"\n')


def python(*words: str, cwd: Path, given: str = "", **environ: str) -> Done:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        input=given,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_script_of_the_project(project: Path, write: Write) -> None:
    write("app/main.py", USE)
    assert python("app/main.py", cwd=project).stdout == "x\n"
    assert python("-m", "app.main", cwd=project).stdout == "x\n"


def test_a_script_through_a_link_to_the_project(
    project: Path, tmp_path: Path, write: Write
) -> None:
    write("main.py", USE)
    (tmp_path / "link").symlink_to(project)
    assert python(str(tmp_path / "link" / "main.py"), cwd=project).stdout == "x\n"


def test_typed_code(project: Path) -> None:
    assert python("-c", USE, cwd=project).stdout == "x\n"
    assert python("-", cwd=project, given=USE).stdout == "x\n"
    assert python("-i", "-q", cwd=project, given=USE + "\n\n").stdout == "x\n"


def test_a_thread_and_a_process_of_the_project(project: Path, write: Write) -> None:
    write(
        "main.py",
        """
        import multiprocessing, threading, dspy_profiles

        def use():
            with dspy_profiles.profile('x') as p:
                print(p.name, flush=True)

        if __name__ == "__main__":
            thread = threading.Thread(target=use); thread.start(); thread.join()
            process = multiprocessing.get_context("spawn").Process(target=use)
            process.start(); process.join()
        """,
    )
    assert python("main.py", cwd=project).stdout == "x\nx\n"


def test_a_module_that_a_foreign_program_has_imported(
    project: Path, outside: Outside, write: Write
) -> None:
    write("app.py", "def answer():\n    return 1\n")
    code = "import sys\nsys.path.insert(0, '.')\nimport app\n"
    assert outside(code + USE).stdout == "x\n"


def test_a_package_that_is_installed_in_the_project_is_no_code_of_it(
    project: Path, outside: Outside, write: Write
) -> None:
    write(".venv/pyvenv.cfg", "home = /usr/bin\n")
    write(".venv/lib/library.py", "")
    write("vendored/site-packages/another.py", "")
    code = """
        import sys
        sys.path[:0] = [".venv/lib", "vendored/site-packages"]
        import library, another, dspy_profiles
        with dspy_profiles.profile("x"): pass
        """
    assert "errors.Untrusted" in outside(code).stderr


def test_uvicorn_in_a_container(project: Path, write: Write) -> None:
    write(
        "app.py",
        """
        import dspy_profiles

        async def app(scope, receive, send):
            if scope["type"] != "http":
                return
            with dspy_profiles.profile("x") as active:
                body = active.name.encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
        """,
    )
    pytest.importorskip("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    words = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--lifespan", "off"]
    with subprocess.Popen(words, cwd=project, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "running on" in line:
                    break
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                assert answer.read() == b"x"
        finally:
            server.terminate()


def test_pytest_in_the_project(project: Path, write: Write) -> None:
    write(
        "tests/test_it.py",
        "import pytest\n\n@pytest.mark.dspy_profile('x')\ndef test_it(dspy_profile):\n"
        "    assert dspy_profile.name == 'x'\n",
    )
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("environ", "is_trusted"),
    [
        ({"CI": "true"}, True),
        ({"DSPY_PROFILES_TRUST": "all"}, True),
        ({"CI": "false"}, False),
        ({"DSPY_PROFILES_TRUST": "none"}, False),
    ],
)
def test_the_real_environment(
    environ: dict[str, str], *, is_trusted: bool, outside: Outside
) -> None:
    done = outside(USE, **environ)
    assert (done.stdout == "x\n") is is_trusted


def test_a_providers_own_key(write: Write, outside: Outside, command: Callable[..., Done]) -> None:
    write(
        "profiles.toml",
        '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "${OPENAI_API_KEY}"\n'
        'adapter.class = "dspy.JSONAdapter"\n',
    )
    write(".env", "OPENAI_API_KEY=canary-7f3a9c1e\n")
    assert outside(USE).stdout == "x\n"
    assert command("doctor", "x").returncode == 0
    assert "not trusted" not in command("list").stderr


@pytest.mark.parametrize(
    ("edit", "stays"),
    [
        ('[x]\nprovider.class = "trap.Engine"\nlm.temperature = 1\n', True),
        (
            '# a comment\n[x]\nprovider.class = "trap.Engine"\n[y]\nlm.model = "openai/gpt-5"\n',
            True,
        ),
        ('[x]\ndescription = "the same"\n[x.provider]\nclass = "trap.Engine"\n', True),
        ('[x]\nprovider.class = "trap.Other"\n', False),
        ('[x]\nprovider.class = "trap.Engine"\nenv.SOME = "1"\n', False),
        ('[x]\nprovider.class = "trap.Engine"\nlm.api_base = "http://evil"\n', False),
        ('[x]\nprovider.class = "trap.Engine"\nlm.api_key = "${AWS_SECRET}"\n', False),
    ],
)
def test_only_an_edit_of_what_acts_asks_again(
    edit: str, stays: bool, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    assert command("trust").returncode == 0
    assert outside(USE).stdout == "x\n"
    write("profiles.toml", edit)
    code = "from dspy_profiles.config import trusts\nfrom pathlib import Path\n"
    code += "print(trusts(Path('profiles.toml').absolute()))"
    assert outside(code).stdout == f"{stays}\n"


def test_what_our_commands_write_stays_trusted(
    home: Path, write: Write, project: Path, outside: Outside, command: Callable[..., Done]
) -> None:
    (project / "profiles.toml").unlink()
    done = command(
        "set", "x", "lm.model=openai/gpt-4o", "lm.api_base=http://localhost:1", "--project"
    )
    assert done.returncode == 0, done.stderr
    assert command("set", "x", "lm.api_key=${SOME_KEY}").returncode == 0
    assert outside(USE, SOME_KEY="canary-7f3a9c1e").stdout == "x\n"
    assert command("copy", "x", "y").returncode == 0
    assert "not trusted" not in command("list").stderr
    kept = json.loads((home / ".dspy" / "trusted.json").read_text())
    assert list(kept["files"]) == [str(project / "profiles.toml")]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in kept["files"].values())


def test_a_command_of_ours_does_not_trust_a_stranger(
    outside: Outside, command: Callable[..., Done]
) -> None:
    assert command("set", "y", "lm.model=openai/gpt-4o", "--project").returncode == 0
    assert "errors.Untrusted" in outside(USE).stderr


def test_nobody_is_asked_twice_in_a_process(project: Path, write: Write) -> None:
    """The answer is kept with the profile: a block that is entered again looks at nothing."""
    write(
        "main.py",
        """
        from dspy_profiles import profile
        from dspy_profiles.config import _running

        with profile("x"): pass
        _running._vouched.clear()
        _running.code_runs_in = lambda _: 1 / 0
        with profile("x"): print("again")
        """,
    )
    assert python("main.py", cwd=project).stdout == "again\n"
