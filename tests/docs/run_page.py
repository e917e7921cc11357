"""Runs the blocks of one page, as a reader would: in order, offline, in one folder.

Python in one namespace, `console` blocks in one shell.

A process of its own: the page comes as JSON on the standard input, and what is wrong goes into the
file that is named, one JSON text a line. Needs nothing but the standard library.
"""

import contextlib
import io
import json
import sys
import traceback
import types
from functools import cached_property
from pathlib import Path

from page_shell import Shell, Step, matches, steps

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
network: list[str] = []


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in NETWORK and "AF_UNIX" not in repr(arguments):
        network.append(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}")
        raise OSError(f"no network here: {network[-1]}")


class Reader:
    """Follows a page from top to bottom."""

    def __init__(self, path: str, root: str) -> None:
        self.path, self.root = path, root
        self.printed = ""  # by the last block of Python
        self.names = sys.modules["__main__"] = types.ModuleType("__main__")
        sys.argv = [""]  # a reader types what the page shows

    @cached_property
    def shell(self) -> Shell:
        return Shell(Path(self.root), NETWORK)

    def writes(self, file: str, text: str) -> None:
        path = Path(file).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def runs_python(self, text: str, line: int, *, only_compiles: bool) -> tuple[int, str] | None:
        """What is wrong with a block of Python, and on which line."""
        try:
            # Lines are counted from the top of the page, so that a traceback names its lines.
            code = compile("\n" * (line - 1) + text, self.path, "exec")
            if only_compiles:
                return None
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, self.names.__dict__)
            self.printed = out.getvalue().replace(self.root, "")
        except BaseException as error:  # noqa: BLE001 - an example may raise what it likes
            rows = traceback.extract_tb(error.__traceback__)
            at = [row.lineno for row in rows if row.filename == self.path]
            if isinstance(error, SyntaxError) and error.filename == self.path:
                at = [error.lineno]
            last = at[-1] if at else None
            return line if last is None else last, traceback.format_exc()
        return (line, f"it reaches for the network: {network}") if network else None

    def runs_console(self, text: str, line: int) -> tuple[int, str] | None:
        """What is wrong with a block of commands, and on which line."""
        for step in steps(text, line):
            if said := wrong(step, self.shell, self.root):
                return step.line, said
        return None


def main(faults: Path) -> None:
    job = json.load(sys.stdin)

    def tell(line: int, said: str) -> None:
        with faults.open("a", encoding="utf-8") as file:
            file.write(json.dumps(f"{job['page']}:{line}: {said}") + "\n")

    # The readers' folder and not this file's is where their imports begin.
    sys.path[0] = ""
    sys.addaudithook(refuse_network)
    reader = Reader(job["path"], job["root"])
    for block in job["blocks"]:
        line, text, marks = block["line"], block["text"], block["marks"]
        fault = None
        if block["file"] is not None:
            reader.writes(block["file"], text)
        elif "output" in marks:
            if not matches(text, reader.printed):
                tell(line, f"it prints\n{reader.printed}\nand not\n{text}")
        elif block["language"] == "python":
            fault = reader.runs_python(text, line, only_compiles="not run" in marks)
        elif "not run" not in marks:
            fault = reader.runs_console(text, line)
        if fault:
            tell(*fault)
            return


def wrong(step: Step, shell: Shell, root: str) -> str | None:
    """What is wrong with one command of the page."""
    if not step.command:
        return "a console block begins with a command: $ …"
    printed, code = shell.run(step.command)
    printed = printed.replace(root, "")
    if not matches(step.wanted, printed):
        return f"{step.command}\nends with {code} and prints\n{printed}\nand not\n{step.wanted}"
    if code and not step.wanted:
        return f"{step.command}\nends with {code}, and the page does not show why"
    asked = shell.network()
    return f"{step.command}\nreaches for the network: {asked}" if asked else None


main(Path(sys.argv[1]))
