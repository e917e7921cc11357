"""Runs the blocks of one page, as a reader would: in order, in one namespace, offline.

A process of its own: the page comes as JSON on the standard input, and what is wrong goes into the
file that is named, one JSON text a line. Needs nothing but the standard library.
"""

import contextlib
import io
import json
import re
import sys
import traceback
import types
from pathlib import Path

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
network: list[str] = []


def refuse_network(event: str, arguments: tuple) -> None:
    if event in NETWORK and "AF_UNIX" not in repr(arguments):
        network.append(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}")
        raise OSError(f"no network here: {network[-1]}")


def main(faults: Path) -> None:
    job = json.load(sys.stdin)
    page, path = job["page"], job["path"]

    def fault(line: int, said: str) -> None:
        with faults.open("a", encoding="utf-8") as file:
            file.write(json.dumps(f"docs/{page}:{line}: {said}") + "\n")

    # The readers' folder and not this file's is where their imports begin.
    sys.path[0] = ""
    sys.addaudithook(refuse_network)
    reader = sys.modules["__main__"] = types.ModuleType("__main__")
    printed = ""
    for block in job["blocks"]:
        line, text = block["line"], block["text"]
        if block["file"] is not None:
            file = Path(block["file"]).expanduser()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            continue
        if "output" in block["marks"]:
            if not matches(text, printed):
                fault(line, f"it prints\n{printed}\nand not\n{text}")
            continue
        try:
            # Lines are counted from the top of the page, so that a traceback names its lines.
            code = compile("\n" * (line - 1) + text, path, "exec")
            if "not run" in block["marks"]:
                continue
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, reader.__dict__)
            printed = out.getvalue().replace(job["root"], "")
        except BaseException as error:  # noqa: BLE001 - an example may raise what it likes
            rows = traceback.extract_tb(error.__traceback__)
            at = [row.lineno for row in rows if row.filename == path]
            if isinstance(error, SyntaxError) and error.filename == path:
                at = [error.lineno]
            fault(at[-1] if at else line, traceback.format_exc())
            return
        if network:
            fault(line, f"it reaches for the network: {network}")
            return


def matches(wanted: str, printed: str) -> bool:
    """Whether this was printed; … stands for anything up to the end of its line."""
    pattern = "".join(
        re.escape(row.partition("…")[0]) + (".*" if "…" in row else "") + r"\n"
        for row in wanted.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


main(Path(sys.argv[1]))
