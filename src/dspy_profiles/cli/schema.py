"""`schema`: what a profiles file may say, for editors that know JSON Schema."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, ToProject, ToUser
from dspy_profiles.cli._output import MUTED, out, out_raw
from dspy_profiles.cli.profiles._target import target
from dspy_profiles.cli.profiles._write import rewriting
from dspy_profiles.config import editing, read_toml
from dspy_profiles.display import on_path
from dspy_profiles.errors import InvalidFile, Place, ProfileNotFound
from dspy_profiles.schema import descriptor, profiles_schema

__all__ = ["add_to"]

NAME = "profiles.schema.json"
TITLE = "profiles.toml for DSPy"


def add_to(app: typer.Typer) -> None:
    """Put this command into an app."""
    app.command(epilog="Example: dspy-profiles schema --write")(schema)


def schema(
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Put it beside the profiles file, with a header there."),
    ] = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Print the JSON Schema of a profiles file for the DSPy that is installed."""
    made = profiles_schema(descriptor())
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    if not write:
        out_raw(text)
        return
    where = target(None, file=file, project=project, user=user)
    if read_toml(where.path).stamp is None:
        raise ProfileNotFound(
            "there is no profiles file yet", "make one: dspy-profiles init", Place(where.path)
        )
    beside = Path(os.path.realpath(where.path)).with_name(NAME)
    with rewriting(beside) as it:
        if it.exists and not _is_ours(it.text):
            raise InvalidFile("this file is somebody else's", "move it away", Place(beside))
        it.text = text
    with editing(where.path) as edit:
        edit.header_comment(f"#:schema ./{NAME}")
    out(Text.assemble(on_path(beside), "   ", (f"for {on_path(where.path)}", MUTED)))


def _is_ours(text: str) -> bool:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("title", "")).startswith(TITLE)
