"""The shell in which the `console` blocks of one page run, one command after the other.

A command begins at `$ `; a line that begins with `> ` goes on with it. What stands below is what
it prints, to both streams, as a terminal would show them. Variables, the working directory and
`$?` hold from command to command. Needs nothing but the standard library.
"""

import atexit
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# Every Python below the shell starts with this: it keeps it from the network, and tells on it.
GUARD = """\
import os
import sys

def refuse(event, arguments, events={events!r}):
    if event in events and "AF_UNIX" not in repr(arguments):
        with open({told!r}, "a") as file:
            file.write(f"{{event}} {{arguments!r}}\\n")
        raise OSError(f"no network here: {{event}}")

sys.addaudithook(refuse)
"""


@dataclass(frozen=True)
class Step:
    """One command, the line of the page that it begins on, and what it is said to print."""

    command: str
    line: int
    wanted: str


def steps(text: str, line: int) -> Iterator[Step]:
    """The commands of a block that begins on this line."""
    rows = text.splitlines()
    if not rows or not rows[0].startswith("$ "):
        yield Step("", line, text)
        return
    starts = [n for n, row in enumerate(rows) if row.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        said = start + 1
        while said < end and rows[said].startswith("> "):
            said += 1
        command = "\n".join(row[2:] for row in rows[start:said])
        wanted = "".join(f"{row}\n" for row in rows[said:end])
        yield Step(command, line + start, wanted)


class Shell:
    def __init__(self, root: Path, network: tuple[str, ...]) -> None:
        self._command, self._out, self._told = root / "command", root / "out", root / "network"
        guard = root / "guard" / "sitecustomize.py"
        guard.parent.mkdir()
        guard.write_text(GUARD.format(events=network, told=str(self._told)), encoding="utf-8")
        here = Path(sys.executable).parent
        self._shell = subprocess.Popen(
            ["sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=os.environ
            | {
                "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(guard.parent),
                "PYTHONUNBUFFERED": "1",  # the two streams in the order of a terminal
                # What litellm would fetch when it is imported it has on board as well.
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                # What only the tests of our own plugin need, and a reader need not have; and an
                # option of which every pytest would say that nobody has set it.
                "PYTEST_ADDOPTS": "-p no:randomly -p no:rerunfailures -p no:hypothesispytest "
                "-o asyncio_default_fixture_loop_scope=function",
                # A test file that is written anew within a second may look like the one before.
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        self._code = 0
        atexit.register(self.end)

    def end(self) -> None:
        with self._shell:
            self._shell.kill()

    def run(self, command: str) -> tuple[str, int]:
        """What a command prints, and what it ends with."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        # By a file: what has no end, as an open quote, then ends with it.
        self._command.write_text(f"(exit {self._code})\n{command}\n", encoding="utf-8")
        file, out = shlex.quote(str(self._command)), shlex.quote(str(self._out))
        self._shell.stdin.write(f'. {file} >{out} 2>&1 </dev/null\necho "=$?"\n')
        self._shell.stdin.flush()
        said = self._shell.stdout.readline()
        if not said.startswith("="):
            return f"{self._out.read_text('utf-8', 'replace')}\nthe shell has ended\n", -1
        self._code = int(said[1:])
        return self._out.read_text("utf-8", "replace"), self._code

    def network(self) -> str:
        """What the programs wanted of the network, if anything."""
        return self._told.read_text("utf-8") if self._told.exists() else ""


def matches(wanted: str, printed: str) -> bool:
    """Whether this was printed; … stands for any text, and on a line of its own for any lines."""
    if pytest.version_tuple < (9,):  # an older one may draw no carets below a line of a traceback
        wanted = re.sub(r"(?m)^ *\^+\n", "", wanted)
        printed = re.sub(r"(?m)^ *\^+\n", "", printed)
    pattern = "".join(
        r"(?:.*\n)*?" if row.strip() == "…" else ".*?".join(map(re.escape, row.split("…"))) + r"\n"
        for row in wanted.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None
