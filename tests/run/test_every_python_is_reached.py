"""DSPy is on the profile wherever Python runs below `run`: every thread, every subprocess."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.run._launch import SITE

MODEL = "import dspy; print(dspy.settings.lm.model)"
ON_MOCK = ("-p", "mock", "--set", "lm.model=ours")

HARD_CODED = """
    import asyncio, threading
    from concurrent.futures import ThreadPoolExecutor
    import dspy

    dspy.configure(lm=dspy.LM("openai/gpt-4o"))
    ask = dspy.Predict("question -> answer")

    def answer(where):
        print(where, ask(question="Why?").answer)

    async def serve(reader, writer):
        said = await ask.acall(question=(await reader.readline()).decode().strip())
        writer.write(said.answer.encode())
        writer.close()

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.create_task(asyncio.to_thread(answer, "task"))
        await loop.run_in_executor(None, answer, "executor")
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"Why?\\n")
            print("server", (await reader.read()).decode())
            writer.close()

    answer("main")
    thread = threading.Thread(target=answer, args=["thread"])
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(answer, "pool").result()
    asyncio.run(main())
"""


def test_a_program_that_configures_its_own_lm_runs_on_the_profile(run: Any, write: Any) -> None:
    write("profiles.toml", '[mine.provider]\nclass = "mock"\nanswers = { answer = "mocked" }')
    program = write("program.py", HARD_CODED)
    done = run("-p", "mine", "program.py")
    everywhere = ["main", "thread", "pool", "task", "executor", "server"]
    assert done.stdout.splitlines() == [f"{where} mocked" for where in everywhere]
    (line,) = done.stderr.splitlines()
    at = program.read_text().splitlines().index('dspy.configure(lm=dspy.LM("openai/gpt-4o"))') + 1
    assert f"program.py:{at} sets lm" in line
    assert 'but profile "mine" (from --profile) overrides it' in line
    assert done.returncode == 0


@pytest.mark.parametrize(
    "code",
    [
        "from dspy import configure as c, LM; c(lm=LM('openai/x')); import dspy",
        "import dspy.predict",
        "from dspy.clients import LM; import dspy; dspy.settings.lm = LM('openai/x')",
        "import importlib.util as u; assert u.find_spec('dspy'); import dspy",
        "import dspy, importlib as i; lm = dspy.settings.lm; i.reload(dspy); assert lm is L()",
        "from dspy_profiles import profile; import dspy",
        "import dspy; from dspy_profiles.activation import innermost_pin; assert innermost_pin()",
        "from dspy_profiles.objects.engines.mock import MockEngine; import dspy",
        "import dspy_profiles.objects._build, dspy",
    ],
)
def test_however_dspy_comes_in(run: Any, code: str) -> None:
    code = f"L = lambda: dspy.settings.lm; {code}; print(L().model)"
    done = run(*ON_MOCK, "-c", code)
    assert (done.stdout, done.returncode) == ("ours\n", 0), done.stderr


def test_a_module_of_ours_that_fails_does_not_leave_dspy_without_it(run: Any) -> None:
    code = """if True:
        import sys
        sys.modules["dspy_profiles.activation._decorator"] = None
        try:
            from dspy_profiles.activation import Isolation  # imports DSPy
            from dspy_profiles import with_profile
        except ImportError:
            import dspy
            print(dspy.settings.lm.model)
    """
    assert run(*ON_MOCK, "-c", code).stdout == "ours\n"


def test_threads_that_import_dspy_at_once_all_wait_for_the_profile(run: Any, write: Any) -> None:
    write(
        "threads.py",
        """
        import threading

        ready = threading.Barrier(8)
        found = []

        def work():
            ready.wait()
            import dspy
            found.append(dspy.settings.lm.model)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(found)
        """,
    )
    done = run(*ON_MOCK, "threads.py")
    assert (done.stdout, done.stderr) == (f"{['ours'] * 8}\n", "")


def test_a_dspy_that_is_imported_anew_is_on_the_profile_too(run: Any, write: Any) -> None:
    write(
        "anew.py",
        """
        import sys
        import dspy as first
        for name in [name for name in sys.modules if name.partition(".")[0] == "dspy"]:
            del sys.modules[name]
        import dspy
        assert dspy is not first and dspy.settings is not first.settings
        print(dspy.settings.lm.model)
        from dspy_profiles import current_profile
        print(current_profile().name)
        """,
    )
    done = run(*ON_MOCK, "anew.py")
    assert done.stdout == "ours\nmock\n", done.stderr


def test_a_module_is_run(run: Any, write: Any) -> None:
    write("package/__main__.py", f"import sys; {MODEL}; print(sys.argv[1:])")
    assert run(*ON_MOCK, "-m", "package", "-x", "--profile").stdout == "ours\n['-x', '--profile']\n"
    assert run(*ON_MOCK, "--", "-mpackage").stdout == "ours\n[]\n"


def test_a_console_script_and_its_own_python_children(run: Any, write: Any) -> None:
    write(
        "test_program.py",
        f"""
        import subprocess, sys
        import dspy

        def test_model():
            assert dspy.settings.lm.model == "ours"

        def test_child():
            code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
            said = subprocess.check_output([sys.executable, "-c", code, {MODEL!r}], text=True)
            assert said == "ours\\n"
        """,
    )
    pytests = shutil.which("pytest", path=Path(sys.executable).parent)
    done = run(*ON_MOCK, "--", pytests or "pytest", "-q", "-p", "no:cacheprovider")
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_of_multiprocessing(run: Any, write: Any, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    write(
        "many.py",
        f"""
        import multiprocessing, sys

        def model(_):
            import dspy
            return dspy.settings.lm.model

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(model, range(2)))
        """,
    )
    assert run(*ON_MOCK, "many.py").stdout == "['ours', 'ours']\n"


def test_a_script_of_the_shell_runs_python_on_it(run: Any, write: Any) -> None:
    write("job.sh", f"#!/bin/sh\nexec {sys.executable} -c '{MODEL}'\n").chmod(0o755)
    assert run(*ON_MOCK, "--", "./job.sh").stdout == "ours\n"


def test_blocks_and_contexts_in_the_program_still_win(run: Any, write: Any) -> None:
    write(
        "blocks.py",
        """
        import dspy
        from dspy_profiles import configure, current_profile, profile

        with profile("mock", lm={"model": "block"}):
            print(dspy.settings.lm.model)
        with dspy.context(lm=dspy.LM("openai/context")):
            print(dspy.settings.lm.model)
        print(current_profile().name, current_profile().reason, dspy.settings.lm.model)
        configure("mock", lm={"model": "configured"})
        print(dspy.settings.lm.model)
        """,
    )
    done = run(*ON_MOCK, "blocks.py")
    said = ["block", "openai/context", "mock from --profile ours", "configured"]
    assert (done.stdout.splitlines(), done.stderr) == (said, "")


def test_a_plain_process_is_left_alone(run: Any, write: Any) -> None:
    code = "import sys, dspy; print(dspy.settings.lm, [type(f).__name__ for f in sys.meta_path])"
    environment = {**os.environ, "PYTHONPATH": str(SITE)}
    plain, with_our_folder = (
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        for env in (None, environment)
    )
    assert plain.stdout.startswith("None ")
    assert (with_our_folder.stdout, with_our_folder.stderr) == (plain.stdout, plain.stderr)


def test_a_program_without_dspy_loads_nothing_of_ours(run: Any) -> None:
    code = "import sys, sysconfig, json, email; print([*sys.modules])"
    loaded = set(eval(run(*ON_MOCK, "-c", code).stdout))
    assert "email" in loaded
    assert not {name for name in loaded if name.startswith(("dspy", "sitecustomize_"))}


def test_the_parent_does_not_import_dspy(command: tuple[str, ...], write: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "openai/x"\napi_key = "${KEY:-none}"\n')
    words = [sys.executable, "-X", "importtime", *command, "-p", "p", "--", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "dspy_profiles.run.session" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in ("dspy", "litellm", "openai")}
