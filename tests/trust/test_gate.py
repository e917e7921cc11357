"""Behind the gate nothing of a stranger's project acts. Each trap sprang before there was one."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.trust.conftest import Done, Outside

Write = Callable[[Path | str, str], Path]

IMPORTS = {
    "provider": '[x]\nprovider.class = "trap.Engine"\n',
    "provider with a colon": '[x]\nprovider.class = "trap:Engine"\n',
    "provider from a variable": '[x]\nprovider.class = "${WHICH}"\n',
    "adapter": '[x]\nlm.model = "openai/gpt-4o"\nadapter.class = "trap.Adapter"\n',
    "rm": '[x]\nrm.class = "trap.Retriever"\n',
    "callback": '[x]\nsettings.callbacks = ["trap.Callback"]\n',
    "callback of the LM": '[x]\nlm.model = "openai/gpt-4o"\nlm.callbacks = ["trap.Callback"]\n',
    "interpreter": '[x]\nsettings.interpreter_factory = "trap.interpreter"\n',
    "parent": '[base]\nprovider.class = "trap.Engine"\n[x]\nextends = "base"\n',
}
DOORS = {
    "profile": "import dspy_profiles\nwith dspy_profiles.profile('x'): pass",
    "configure": "import dspy_profiles\ndspy_profiles.configure('x')",
    "lm": "import dspy_profiles\ndspy_profiles.lm('x')",
    "default": "import dspy_profiles\nwith dspy_profiles.profile(): pass",
}


@pytest.mark.parametrize("what", IMPORTS)
def test_no_module_of_the_project_is_imported(
    what: str, trap: Path, mark: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    """Before: a program in any folder, and `doctor`, imported what a cloned file named."""
    file = write("profiles.toml", IMPORTS[what])
    done = outside(DOORS["profile"], WHICH="trap.Engine")
    assert "dspy_profiles.errors.Untrusted" in done.stderr
    assert 'wants to import "' in done.stderr
    assert f"at {file}:" in done.stderr
    assert f"dspy-profiles trust {file.parent}" in done.stderr
    assert not mark.exists()
    done = command("doctor", "x", WHICH="trap.Engine")
    assert done.returncode == 7
    assert "wants to import" in done.stdout
    assert not mark.exists()


@pytest.mark.parametrize("door", DOORS)
def test_every_door_asks(door: str, trap: Path, mark: Path, write: Write, outside: Outside) -> None:
    write("profiles.toml", IMPORTS["provider"])
    done = outside(DOORS[door], DSPY_PROFILE="x")
    assert "errors.Untrusted" in done.stderr
    assert not mark.exists()


def test_run_asks_in_the_child_and_ends_with_7(
    trap: Path, mark: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    """Before: `run` activated the profile in whichever program it started."""
    write("profiles.toml", IMPORTS["provider"])
    run = Path(sys.executable).with_name("dspy-profiles")
    done = outside("import dspy", str(run), "run", "--profile", "x", "--")
    assert (done.returncode, mark.exists()) == (7, False)
    assert "wants to import" in done.stderr
    done = command("run", "--profile", "x", "-m", "dspy")
    assert (done.returncode, mark.exists()) == (7, False)
    assert command("run", "--profile", "x", "-m", "timeit", "-n1", "1").returncode == 0


@pytest.mark.parametrize("words", ["list", "which", "show x", "get x provider.class", "validate"])
def test_reading_commands_say_that_it_is_not_trusted_and_import_nothing(
    words: str, trap: Path, mark: Path, write: Write, command: Callable[..., Done]
) -> None:
    write("profiles.toml", IMPORTS["provider"])
    done = command(*words.split())
    assert (done.returncode, mark.exists()) == (0, False)
    if words in ("list", "which"):
        assert "not trusted" in done.stdout
        assert "dspy-profiles trust" in done.stderr


def test_a_named_file_is_no_consent(
    trap: Path, mark: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    file = write("other/mine.toml", IMPORTS["provider"])
    assert command("doctor", "x", "--file", str(file)).returncode == 7
    done = outside(DOORS["profile"], DSPY_PROFILES_PATH=str(file))
    assert "errors.Untrusted" in done.stderr
    assert f"dspy-profiles trust {file}" in done.stderr
    assert not mark.exists()
    assert command("trust", str(file)).returncode == 0
    outside(DOORS["profile"], DSPY_PROFILES_PATH=str(file))
    assert mark.exists()


def test_a_missing_module_is_not_taken_from_the_folder(
    stranger: None, mark: Path, write: Write, outside: Outside
) -> None:
    """Before: the folder stood on Python's path after the first profile, for everybody."""
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    write("optional_speedups.py", f"open({str(mark)!r}, 'w')")
    done = outside(
        DOORS["profile"] + "\ntry:\n    import optional_speedups\nexcept ImportError: print('ok')"
    )
    assert (done.stdout, mark.exists()) == ("ok\n", False)


class Listener:
    """Counts the connections that somebody opens, and keeps what arrives."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.arrived: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.arrived.append(connection.recv(65536))
                except OSError:
                    self.arrived.append(b"")


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.socket.close()


CALL = """
import dspy, dspy_profiles
with dspy_profiles.profile("prod"):
    dspy.LM.__call__(dspy.settings.lm, "hello")
"""


def test_a_profile_of_yours_is_not_redirected(
    stranger: None, home: Path, write: Write, outside: Outside, listener: Listener
) -> None:
    """Before: a project's file with your profile's name got its requests, and the key."""
    write(
        home / ".dspy" / "profiles.toml",
        '[prod]\nlm.model = "openai/gpt-4o"\nlm.api_key = "${CANARY_KEY}"\nlm.num_retries = 0\n',
    )
    address = f"http://127.0.0.1:{listener.port}"
    file = write("profiles.toml", f'[prod]\nextends = "prod"\nlm.api_base = "{address}"\n')
    done = outside(CALL, CANARY_KEY="canary-7f3a9c1e")
    assert f'wants to send a secret to "{address}"' in done.stderr
    assert f"at {file}:3" in done.stderr
    assert listener.arrived == []
    assert "canary-7f3a9c1e" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "name", ["OPENAI_BASE_URL", "OPENAI_API_BASE", "HTTPS_PROXY", "https_proxy"]
)
def test_an_env_file_redirects_nothing(
    name: str, stranger: None, write: Write, outside: Outside
) -> None:
    """Before: one line of a cloned .env sent each request of the process elsewhere."""
    write("profiles.toml", '[prod]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    file = write(".env", f"{name}=http://evil.example\n")
    done = outside(
        "import os, dspy_profiles\nwith dspy_profiles.profile('prod'):"
        f"print(os.environ.get({name!r}))"
    )
    assert done.stdout == "None\n"
    assert f"{file}: left out {name}, which only a trusted file may set" in done.stderr
    assert done.stderr.count(name) == 1


def test_a_variable_of_an_env_file_is_no_address(
    stranger: None, home: Path, write: Write, outside: Outside
) -> None:
    """Before: a cloned .env gave your own profile the address that it reads from a variable."""
    write(
        home / ".dspy" / "profiles.toml",
        '[prod]\nlm.model = "openai/gpt-4o"\nlm.api_key = "${KEY}"\nlm.api_base = "${GATEWAY}"\n',
    )
    write(".env", "GATEWAY=http://evil.example\n")
    done = outside(DOORS["profile"].replace("'x'", "'prod'"), KEY="canary-7f3a9c1e")
    assert "errors.Untrusted" in done.stderr
    assert 'send a secret to "${GATEWAY}, for lm.api_base"' in done.stderr
    done = outside(
        DOORS["profile"].replace("'x'", "'prod'"), KEY="canary-7f3a9c1e", GATEWAY="http://mine"
    )
    assert done.returncode == 0


def test_a_secret_file_outside_of_the_project_is_not_read(
    stranger: None, tmp_path: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    """Before: `doctor` read any file that a cloned profile named."""
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-7f3a9c1e")
    write("profiles.toml", f'[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "file:{secret}"\n')
    done = outside(DOORS["profile"])
    assert f'wants to read "file:{secret}"' in done.stderr
    done = command("doctor", "x")
    assert (done.returncode, "canary" in done.stdout) == (7, False)


def test_a_secret_file_of_the_project_is_read(
    stranger: None, write: Write, outside: Outside
) -> None:
    write("key.txt", "canary-7f3a9c1e")
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "file:key.txt"\n')
    assert outside(DOORS["profile"]).returncode == 0


def test_a_link_leads_no_further_than_a_path(
    stranger: None, tmp_path: Path, project: Path, write: Write, outside: Outside
) -> None:
    """Before: a link in a cloned folder was followed anywhere."""
    secret = tmp_path / "secret.txt"
    secret.write_text("OUTSIDE_VALUE=canary-7f3a9c1e")
    (project / "key.txt").symlink_to(secret)
    (project / ".env").symlink_to(secret)
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "file:key.txt"\n')
    done = outside(DOORS["profile"])
    assert 'wants to read "file:key.txt"' in done.stderr
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    done = outside(DOORS["profile"] + "\nimport os\nprint(os.environ.get('OUTSIDE_VALUE'))")
    assert done.stdout == "None\n"


def test_pyproject_names_no_env_file_outside(
    stranger: None, tmp_path: Path, write: Write, outside: Outside
) -> None:
    other = tmp_path / "other.env"
    other.write_text("OUTSIDE_VALUE=canary-7f3a9c1e")
    write("pyproject.toml", f'[tool.dspy-profiles]\nenv-file = ["{other}"]\n')
    code = "\nimport os\nprint(os.environ.get('OUTSIDE_VALUE'))"
    write("profiles.toml", '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n')
    assert outside(DOORS["profile"] + code).stdout == "None\n"
    done = outside(DOORS["profile"] + code, DSPY_PROFILES_ENV_FILE=str(other))
    assert done.stdout == "canary-7f3a9c1e\n"


STORES = {
    "a server": "postgresql://you:${CANARY_KEY}@127.0.0.1:{port}/${CANARY_KEY}",
    "a file outside": "sqlite:../outside.db",
    "a folder outside": "file:{tmp}/results",
}


@pytest.mark.parametrize("what", STORES)
def test_a_store_of_the_project_stays_inside_of_it(
    what: str,
    stranger: None,
    tmp_path: Path,
    write: Write,
    command: Callable[..., Done],
    listener: Listener,
) -> None:
    """Before: `results list`, and one TAB, sent any variable to the server of a cloned file."""
    url = STORES[what].replace("{port}", str(listener.port)).replace("{tmp}", str(tmp_path))
    file = write("pyproject.toml", f'[tool.dspy-profiles]\nstore = "{url}"\n')
    key = {"CANARY_KEY": "canary-7f3a9c1e"}
    for words in ("results list", "results show latest", "trace latest 1"):
        done = command(*words.split(), **key)
        assert done.returncode == 7, done.stderr
        assert f"at {file}:2" in done.stderr
        assert "canary" not in done.stderr
    done = command(
        **key,
        _DSPY_PROFILES_COMPLETE="complete_bash",
        COMP_WORDS="dspy-profiles results show ",
        COMP_CWORD="3",
    )
    assert "canary" not in done.stdout + done.stderr
    assert listener.arrived == []
    assert not list(tmp_path.glob("results*"))
    assert not (file.parent.parent / "outside.db").exists()


def test_a_results_folder_that_is_a_link_is_not_used(
    stranger: None, tmp_path: Path, project: Path, command: Callable[..., Done]
) -> None:
    """Before: a link in a cloned folder was the place where experiments were written."""
    (tmp_path / "elsewhere").mkdir()
    (project / ".dspy").mkdir()
    (project / ".dspy" / "results").symlink_to(tmp_path / "elsewhere")
    done = command("results", "list")
    assert done.returncode == 7
    assert f"dspy-profiles trust {project}" in done.stderr
    assert command("trust").returncode == 0
    assert command("results", "list").returncode == 0


def test_an_address_takes_no_variable_from_a_strangers_env_file(
    stranger: None, write: Write, command: Callable[..., Done], listener: Listener
) -> None:
    write(".env", f"WHERE=127.0.0.1:{listener.port}\n")
    done = command("results", "list", "--store", "postgresql://you@${WHERE}/results")
    assert (done.returncode, listener.arrived) == (7, [])
    assert 'read "${WHERE}"' in done.stderr


def test_a_profile_that_replaces_yours_is_told_once_with_both_addresses(
    stranger: None, home: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    yours = write(
        home / ".dspy" / "profiles.toml",
        '[prod]\nlm.model = "openai/gpt-4o"\nlm.api_key = "${KEY}"\nlm.api_base = "http://me:${KEY}@mine"\n',
    )
    theirs = write("profiles.toml", '[prod]\nextends = "prod"\nlm.api_base = "http://theirs"\n')
    assert command("trust").returncode == 0
    code = """
        import dspy_profiles
        for temperature in (0, 1):
            with dspy_profiles.profile("prod", lm={"temperature": temperature}): pass
        """
    done = outside(code, KEY="canary-7f3a9c1e")
    told = (
        f'profile "prod" of the project replaces yours: it sends its secrets to '
        f"http://theirs ({theirs}:3), yours to http://mine ({yours}:4)"
    )
    assert (done.returncode, done.stderr.count(told)) == (0, 1), done.stderr
    write("profiles.toml", '[prod]\nextends = "prod"\nlm.temperature = 0\n')
    assert "replaces yours" not in outside(code, KEY="canary-7f3a9c1e").stderr


def test_python_m_takes_no_module_from_the_folder(
    stranger: None, mark: Path, project: Path, write: Write
) -> None:
    """Before: `python -m dspy_profiles list` imported a json.py of the folder."""
    import subprocess

    for name in ("json", "rich", "typer", "tomli"):
        write(f"{name}.py", f"open({str(mark)!r}, 'w')")
    words = [sys.executable, "-m", "dspy_profiles", "list"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, mark.exists()) == (0, False), done.stderr


def test_a_folder_of_cassettes_outside_is_not_read(
    stranger: None, tmp_path: Path, project: Path, write: Write, command: Callable[..., Done]
) -> None:
    """Before: `cassettes list` and `check` read whichever folder a cloned file named."""
    (tmp_path / "secret.jsonl").write_text("{}\n")
    file = write("pyproject.toml", f'[tool.dspy-profiles]\ncassette-dir = "{tmp_path}"\n')
    for words in ("cassettes list", "cassettes check"):
        done = command(*words.split())
        assert (done.returncode, "secret" in done.stdout) == (7, False), words
        assert f"at {file}:2" in done.stderr
    file.unlink()
    (project / "cassettes").symlink_to(tmp_path)
    assert command("cassettes", "list").returncode == 4


def test_secrets_check_follows_nothing_out_of_the_project(
    stranger: None, tmp_path: Path, write: Write, command: Callable[..., Done]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-7f3a9c1e")
    write("profiles.toml", f'[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "file:{secret}"\n')
    done = command("secrets", "check")
    assert done.returncode == 7
    assert "wants to" in done.stdout
    assert "dspy-profiles trust" in done.stderr


BACKEND = """
import pathlib
pathlib.Path({mark!r}).write_text("sprung")
from keyring.backends.null import Keyring
"""


def test_the_keyring_is_not_a_module_of_the_project(
    stranger: None, mark: Path, write: Write, command: Callable[..., Done], project: Path
) -> None:
    """Before: `secrets check` imported the keyring's backend that a profile's env named."""
    write("trap_backend.py", BACKEND.format(mark=str(mark)))
    write(
        "profiles.toml",
        '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "keyring:service/user"\n'
        'env.PYTHON_KEYRING_BACKEND = "trap_backend.Keyring"\n',
    )
    write(".env", "PYTHON_KEYRING_BACKEND=trap_backend.Keyring\n")
    command("secrets", "check", PYTHONPATH=str(project))
    command("doctor", "x", PYTHONPATH=str(project))
    assert not mark.exists()


def test_a_profile_that_was_sent_is_not_asked_for_again(
    trap: Path, mark: Path, write: Write, outside: Outside, project: Path, tmp_path: Path
) -> None:
    """Whoever sends a pickle could have sent code: a worker asks nobody."""
    write("profiles.toml", IMPORTS["provider"])
    pickled = tmp_path / "profile"
    code = f"import pickle, dspy_profiles\nfile = open({str(pickled)!r}, 'wb')\n"
    outside(code + "pickle.dump(dspy_profiles.resolve('x'), file)")
    code = f"""
        import pickle, sys, dspy_profiles
        sys.path.insert(0, {str(project)!r})
        with dspy_profiles.profile(pickle.load(open({str(pickled)!r}, "rb"))) as p:
            print(p.name)
        """
    assert outside(code).stdout == "x\n"
    assert mark.exists()
