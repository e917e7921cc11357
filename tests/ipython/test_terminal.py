"""IPython in a terminal, with real keys."""

import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("pexpect needs a pseudo-terminal", allow_module_level=True)
pexpect = pytest.importorskip("pexpect")

COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")
STYLE = r"(?:\x1b\[[0-9;]*m)*"
PATIENCE = 60
TAB = "\t"


class Terminal:
    def __init__(self, folder: Any) -> None:
        words = ["-m", "IPython", "--no-banner", "--no-confirm-exit"]
        self.child = pexpect.spawn(
            sys.executable,
            words,
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(40, 100),
            env={
                **os.environ,
                "TERM": "xterm",
                "IPYTHONDIR": str(folder),
                "PROMPT_TOOLKIT_NO_CPR": "1",  # else it asks where the cursor is, and waits
            },
        )
        self.number = 0
        self.prompt()

    def prompt(self) -> str:
        """What is printed until the next prompt."""
        self.number += 1
        self.child.expect(rf"In \[{STYLE}{self.number}{STYLE}\]: ")
        return COLOUR.sub("", self.child.before)

    def __call__(self, line: str) -> str:
        self.child.send(f"{line}\r")
        return self.prompt()

    def until(self, text: str) -> None:
        self.child.expect_exact(text)


@pytest.fixture
def terminal(profiles: Any, tmp_path: Any) -> Iterator[Any]:
    made = Terminal(tmp_path / "ipython")
    made("%load_ext dspy_profiles_ipython")
    yield made
    made.child.close(force=True)


def test_tab_completes_a_name_and_the_magic_switches(terminal: Any) -> None:
    terminal.child.send(f"%dspy_profile pro{TAB}")
    terminal.until("prod")
    said = terminal("")
    assert "prod  (active)" in said
    assert "openai/prod" in said


def test_tab_completes_options_and_keys(terminal: Any) -> None:
    terminal.child.send(f"%dspy_profile dev --se{TAB}")
    terminal.until("set")  # the line is drawn anew from where its colour changes
    terminal.child.send(f" lm.tempe{TAB}")
    terminal.until("rature=")
    said = terminal("0")
    assert "dev  for <b>work</b>  (active)" in said
    assert re.search(r"lm\.temperature +0 +override", said)


def test_tab_offers_the_names_and_nothing_else(terminal: Any) -> None:
    terminal.child.send(f"%dspy_profile {TAB}{TAB}")
    terminal.until("base")
    terminal.until("mock")
    menu = COLOUR.sub("", terminal.child.before)
    assert "profiles.toml" not in menu  # a file's name
    assert "abs(" not in menu
    terminal.child.send("\x03")


def test_a_cell_of_many_lines(terminal: Any) -> None:
    terminal("import dspy")
    terminal.child.send("%%dspy_profile dev\r")
    terminal.until("...:")
    terminal.child.send("dspy.settings.lm.model\r")
    terminal.until("...:")
    terminal.child.send("\r")  # a cell magic ends with two blank lines
    terminal.until("...:")
    assert "openai/dev" in terminal("")
    assert "None" in terminal("print(dspy.settings.lm)")


def test_an_error_is_one_line(terminal: Any) -> None:
    said = terminal("%dspy_profile prid")
    assert 'UsageError: profile "prid" not found' in said
    assert "Traceback" not in said


def test_an_interrupt_leaves_the_profile(terminal: Any) -> None:
    terminal("import dspy, time")
    terminal.child.send("%%dspy_profile dev\r")
    terminal.until("...:")
    terminal.child.send("print('be' + 'gun', flush=True); time.sleep(60)\r")
    terminal.until("...:")
    terminal.child.send("\r")
    terminal.until("...:")
    terminal.child.send("\r")
    terminal.until("begun")
    terminal.child.sendintr()
    assert "KeyboardInterrupt" in terminal.prompt()
    assert "None" in terminal("print(dspy.settings.lm)")
