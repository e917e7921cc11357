"""`schema`: the JSON Schema of profiles files, for editors."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, ToProject, ToUser
from dspy_profiles.cli._output import MUTED, out, out_text
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
    """Add this command to an app."""
    app.command(epilog="Example: dspy-profiles schema --write")(schema)


def schema(
    *,
    write: Annotated[
        bool,
        typer.Option("--write", help="Save it beside the profiles file, and add a header there."),
    ] = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Print the JSON Schema of profiles files.

    It describes the arguments of the installed DSPy.
    """
    text = json.dumps(profiles_schema(descriptor()), indent=2, ensure_ascii=False) + "\n"
    if not write:
        out_text(text)
        return
    where = target(None, file=file, project=project, user=user)
    if read_toml(where.path).stamp is None:
        raise ProfileNotFound("profiles file not found", "dspy-profiles init", Place(where.path))
    beside = Path(os.path.realpath(where.path)).with_name(NAME)
    with rewriting(beside) as schema_file:
        if schema_file.exists and not _is_ours(schema_file.text):
            raise InvalidFile(
                "the file was not written by dspy-profiles",
                "rename it, then run the command again",
                Place(beside),
            )
        schema_file.text = text
    with editing(where.path) as edit:
        edit.header_comment(f"#:schema ./{NAME}")
    out(Text.assemble(on_path(beside), "   ", (f"for {on_path(where.path)}", MUTED)))


def _is_ours(text: str) -> bool:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and str(data.get("title", "")).startswith(TITLE)
