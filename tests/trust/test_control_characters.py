"""No control character of a file reaches a terminal, nor a pipe but that of `get`."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.results.views.conftest import Book, says_everywhere
from typer.testing import CliRunner

from dspy_profiles.cli import app
from dspy_profiles.results import open_store
from dspy_profiles.secrets import redact

PATIENCE = 120
# Escapes that set the clipboard, the title and colors; C1; DEL; changes of the direction; others.
NASTY = (
    "n\x1b]52;c;aGk=\x07\x1b]0;t\x07\x1b[31m\x9b31m\x85\x7f\x08\r\x0b"
    "\u202e\u2066\u200f\u061c\u2028x"
)
FORBIDDEN = re.compile(r"[^\n\t -~\xa0-\U0010ffff]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
COLOR = re.compile(r"\x1b\[[\d;]*m")
EXPERIMENT = "0" * 25 + "9"


def quoted(text: str) -> str:
    """Return a TOML string without a raw control character."""
    return "".join(f"\\u{ord(c):04x}" if FORBIDDEN.match(c) else c for c in text).join('""')


N = quoted(NASTY)
PROFILES = f"""
[{N}]
description = {N}
extends = "base"
lm.model = {quoted("openai/" + NASTY)}
lm.{N} = {N}
lm.api_key = {quoted("${NOT_SET}")}

[base]
lm.model = "openai/base"
lm.api_base = {quoted("http://" + NASTY)}

[wrong]
lm.temperature = {N}
lm.modl = {N}
{N} = 1

[orphan]
extends = {quoted(NASTY + "y")}

[imports]
provider.class = {quoted("a." + NASTY)}
adapter.class = {quoted("b." + NASTY)}

[plain]
lm.model = "openai/x"
lm.api_key = {quoted("sk-0123456789abcdef0123456789" + NASTY)}

[refers]
lm.model = "openai/x"
lm.api_key = {quoted("file:" + NASTY)}
env.PLAIN = {N}

[variable]
env.{N} = {N}
"""
SETTINGS = f"""
[tool.dspy-profiles]
default = {N}
not-secret = [{N}]
"""
BROKEN = f"""
[tool.dspy-profiles]
{N} = 1
store = 1
budget.usd = {N}
"""
FILE = NASTY.replace("/", "") + ".toml"
READING = [
    *("list", "list --json", "show N", "show N --json", "show N --raw", "show wrong"),
    *(
        "show orphan",
        "show imports",
        "show refers",
        "show variable",
        "show nope",
        "show plain",
        "--debug show nope",
    ),
    *("--debug show orphan", "get N lm.model --json", "get N nope", "get wrong lm.modl --json"),
    *("which", "which --json", "which --file F", "diff N base", "diff N wrong --json"),
    *("export N", "export N --format json", "export N --format python", "export N --format env"),
    *("export refers --format env", "export plain", "schema", "use nope", "N", "show N --file F"),
    *("secrets list", "secrets list --json", "secrets check", "secrets check --json"),
    *("config list", "config list --json", "config get budget"),
    *(
        "config get default --json",
        "config get N",
        "validate",
        "validate --json",
        "validate --file F",
    ),
    *("doctor", "doctor --json", "doctor --all", "doctor N", "doctor imports", "doctor refers"),
    *("trust --list", "trust --list --json", "trust F", "results list", "results list --json"),
    *("results show latest", "results show latest --full", "results show latest --json"),
    *(
        "results show N --full",
        "results show nope-N",
        "results query --text N",
        "results query --json",
    ),
    *("results diff latest latest", "results diff latest latest --json", "results verify"),
    *("results verify --json", "results export latest --csv", "results examples latest"),
    *("results export latest --out F", "results import F", "results list --store bad:N"),
    *("results list --store file:N", "trace latest", "trace latest 1 --full", "trace latest N"),
    *("trace latest --json", "trace latest --html F2", "cassettes list", "cassettes list --json"),
    *("cassettes check", "cassettes check --json", "cassettes prune", "cassettes list F"),
]
WRITING = [
    *("set N lm.temperature 2", "set N lm.tempratur 2", "set wrong lm.modl N", "unset N nope"),
    *("set N lm.model N --force", "copy N N", "copy N N2", "rename N2 N3", "rename orphan N"),
    *("import --help", "import F", "config set default N", "config set store N", "use N"),
    *("results recover", "results rebuild", "secrets move --yes", "delete base --yes"),
    *("delete N3 --yes", "trust", "trust --json", "trust --remove", "init N --yes --provider mock"),
]
SPOILT = ["list", "--debug list", "config list --json", "validate", "doctor", "doctor --json"]
PROMPTING = ["get N lm.model", "config get default", "delete orphan", "delete N", "secrets move"]


@pytest.fixture
def folder(stranger: None, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with such a name, in which every name and text holds such characters."""
    here = project / f"{NASTY} folder"
    (here / ".git").mkdir(parents=True)
    (here / "profiles.toml").write_text(PROFILES)
    (here / "pyproject.toml").write_text(SETTINGS)
    (here / ".env").write_text(f"not {NASTY} a line\nPYTHONPATH='{NASTY}'\nOTHER='{NASTY}'\n")
    (here / FILE).write_text(f"x = {NASTY}")
    tapes = here / "cassettes"
    tapes.mkdir()
    (tapes / f"{NASTY}.jsonl").write_text(json.dumps({NASTY: NASTY}))
    (tapes / "one.jsonl").write_text(json.dumps({"cassette": 1, "dspy": NASTY, NASTY: NASTY}))
    monkeypatch.chdir(here)
    store = open_store(f"file:{here / '.dspy/results'}")
    says_everywhere(lambda **header: Book(store, **header), NASTY)
    Book(store, name=NASTY, hypothesis=NASTY, profile=NASTY).close(1)
    return here


def words_of(line: str) -> list[str]:
    given = {"N": NASTY, "N2": f"{NASTY}2", "N3": f"{NASTY}3", "F": FILE, "F2": f"{NASTY}.html"}
    return [
        given.get(word, word.replace(":N", f":{NASTY}").replace("nope-N", f"nope{NASTY}"))
        for word in line.split()
    ]


def program(lines: list[str]) -> str:
    """Return a program that runs these commands one after the other."""
    return f"""
from dspy_profiles.cli import app
for words in {[words_of(line) for line in lines]!a}:
    print("==", ascii(words), flush=True)
    try:
        app(words, prog_name="dspy-profiles")
    except SystemExit:
        pass
"""


def check(shown: str, lines: list[str]) -> None:
    """Check what each of these commands has printed."""
    by_command = {part.partition("\n")[0]: raw(part) for part in f"\n{shown}".split("\n== ")[1:]}
    assert {name: bad[:3] for name, bad in by_command.items() if bad} == {}
    assert len(by_command) == len(lines)
    failed = [part for part in shown.split("\n== ") if "Traceback" in part]
    assert [part for part in failed if "--debug" not in part] == []


def raw(shown: str) -> list[str]:
    return [shown[max(m.start() - 40, 0) : m.end() + 40] for m in FORBIDDEN.finditer(shown)]


@pytest.mark.parametrize("lines", [READING, WRITING, SPOILT], ids=["reading", "writing", "broken"])
def test_a_pipe_gets_none(folder: Path, lines: list[str]) -> None:
    """Before: paths, prompts and JSON held C1 and bidi characters, --debug and `export` all."""
    if lines is SPOILT:
        (folder / "pyproject.toml").write_text(BROKEN)
    done = subprocess.run(
        [sys.executable, "-c", program(lines)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=PATIENCE,
    )
    check(done.stdout.decode(), lines)


def test_a_terminal_gets_none(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    lines = [*READING, *PROMPTING]
    child = pexpect.spawn(
        sys.executable,
        ["-c", program(lines)],
        cwd=str(folder),
        env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", "PAGER": "cat"},
        timeout=PATIENCE,
        dimensions=(5000, 120),
    )
    shown = b""
    while child.expect([rb"\[y/N\]", rb"\[Y/n\]", pexpect.EOF]) != 2:
        shown += child.before
        child.send("n\r")
    shown += child.before
    child.close()
    check(COLOR.sub("", shown.decode()).replace("\r\n", "\n"), lines)


def test_the_pipe_of_get_is_raw(folder: Path, command: Callable[..., Any]) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("dspy-profiles"), "get", "base", "lm.api_base"],
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout.decode() == f"http://{NASTY}\n"


PROGRAM = f"""
import dspy, sys
dspy.configure(lm=None)
dspy.configure(adapter=dspy.JSONAdapter())
raise SystemExit({NASTY!a} in str(dspy.settings))
"""
RUNS = [
    ["run", "--profile", NASTY, "-c", "import dspy"],
    ["run", "--profile", "wrong", "-c", "import dspy"],
    ["run", "--profile", "imports", "-c", "import dspy"],
    ["run", "--profile", "orphan", "-c", "import dspy"],
    ["run", "--profile", "nope", "-c", "import dspy"],
    ["run", "--profile", "mock", "--set", f"lm.model={NASTY}", "-c", PROGRAM],
    ["run", "--profile", "mock", "--record", "--store", f"bad:{NASTY}", "-c", "import dspy"],
    ["run", "--profile", "mock", "--cassette", f"cassettes/{NASTY}.jsonl", "-c", "import dspy"],
    ["run", "--profile", "mock", f"{NASTY}.py"],
]


def test_run_prints_none(folder: Path) -> None:
    """Before: the child printed errors and warnings as they were."""
    (folder / "pyproject.toml").unlink()
    found = {}
    for words in RUNS:
        done = subprocess.run(
            [Path(sys.executable).with_name("dspy-profiles"), *words],
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        if bad := raw((done.stdout + done.stderr).decode()):
            found[shlex.join(words).encode("ascii", "backslashreplace")] = bad[:3]
    assert found == {}


SUITE = f"""
import pytest, dspy

@pytest.mark.dspy_profile({NASTY!a})
def test_named():
    dspy.Predict("question -> answer")(question={NASTY!a})

@pytest.mark.dspy_profile("mock", lm={{"model": {NASTY!a}}})
def test_mock(dspy_mock):
    dspy.Predict("question -> answer")(question={NASTY!a})

@pytest.mark.dspy_profile("mock")
@pytest.mark.dspy_cassette({(NASTY.replace("/", "") + ".jsonl")!a}, mode="none")
def test_missing():
    dspy.Predict("question -> answer")(question={NASTY!a})
"""


def test_pytest_prints_none(folder: Path) -> None:
    """Before: the header, the summary and usage errors held names as they were."""
    suite = folder.parent  # pytest prints the names of folders itself
    shutil.copy(folder / "profiles.toml", suite)
    (suite / "test_it.py").write_text(SUITE)
    found = {}
    for options in (
        ["-k", "mock or missing", "-v", "--dspy-report", "report.json"],
        ["-k", "mock", "--dspy-profile", "mock", "--dspy-record"],
        ["--dspy-profile", NASTY],
        ["--dspy-profile", "wrong"],
        ["--dspy-profile", "orphan"],
        ["--dspy-profile", f"nope{NASTY}"],
        [],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py", *options],
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            cwd=suite,
        )
        assert b"INTERNALERROR" not in done.stdout + done.stderr
        if bad := raw((done.stdout + done.stderr).decode()):
            found[" ".join(options)] = bad[:3]
    assert found == {}
    assert raw((suite / "report.json").read_text()) == []


def test_the_page_holds_none(folder: Path) -> None:
    CliRunner().invoke(app, words_of("trace latest --html F2"), prog_name="dspy-profiles")
    assert raw((folder / f"{NASTY}.html").read_text(encoding="utf-8")) == []


def test_errors_and_warnings_hold_none() -> None:
    """Before: `str` had the message as it was, and so had a traceback."""
    from dspy_profiles import errors

    for kind in (errors.InvalidProfile, errors.Untrusted, errors.StoreError):
        error = kind(NASTY, NASTY, errors.Place(Path(NASTY)))
        assert raw(str(error)) == []
        assert error.message == NASTY
    assert raw(str(errors.ProfileWarning(NASTY))) == []
    assert redact(NASTY) == NASTY


CELL = f"""
get_ipython().run_line_magic("load_ext", "dspy_profiles_ipython")
for line in [
    "--list", "--show base", '--show "' + {NASTY!a} + '"', '"' + {NASTY!a} + '"',
    "nope" + {NASTY!a},
    "wrong", "orphan", "imports", "mock --set lm.model=" + {NASTY!a}, "", "--off",
]:
    print("==", ascii(line), flush=True)
    get_ipython().run_line_magic("dspy_profile", line)
for magic, line in [
    ("dspy_results", ""), ("dspy_results", {NASTY!a}), ("dspy_trace", ""),
    ("dspy_trace", "latest 1 --full"), ("dspy_trace", {NASTY!a}),
    ("dspy_trace", '--html "' + {NASTY!a} + '.html"'), ("dspy_results", "--store bad:" + {NASTY!a}),
]:
    print("==", magic, ascii(line), flush=True)
    get_ipython().run_line_magic(magic, line)
get_ipython().run_cell_magic("dspy_record", "plain", "1")
"""
CATCHING = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.error import UsageError
shell = InteractiveShell.instance(colors="nocolor")
run = shell.run_line_magic
def caught(name, line):
    try:
        run(name, line)
    except UsageError as error:
        print("UsageError:", error)
shell.run_line_magic = caught
exec(sys.argv[1], {"get_ipython": lambda: shell})
"""


def test_ipython_prints_none(folder: Path) -> None:
    """Before: errors, warnings and lines about the active profile held names as they were."""
    pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, "-c", CATCHING, CELL],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "IPYTHONDIR": str(folder.parent / "ipython")},
    )
    shown = done.stdout.decode()
    assert done.returncode == 0, shown
    parts = {part.partition("\n")[0]: raw(part) for part in shown.split("\n== ")}
    assert {name: bad[:3] for name, bad in parts.items() if bad} == {}
    assert len(parts) > 15
