"""Arguments and options that several commands share, and what completes them."""

from pathlib import Path
from typing import Annotated

import typer

from dspy_profiles.errors import ProfileError
from dspy_profiles.resolver import Scene

__all__ = ["AsJson", "File", "Name", "Profile", "ToProject", "ToUser", "profile_names"]


def profile_names(incomplete: str) -> list[str]:
    """The profiles whose names begin so; none, rather than an error, where a file is broken."""
    try:
        return [name for name in Scene.now().catalog.names() if name.startswith(incomplete)]
    except ProfileError:
        return []


Name = Annotated[str, typer.Argument(help="A profile.", autocompletion=profile_names)]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="A profile.", autocompletion=profile_names)
]
File = Annotated[
    Path | None,
    typer.Option("--file", help="One profiles file, in place of the user's and the project's."),
]
ToProject = Annotated[bool, typer.Option("--project", help="Write to the project's file.")]
ToUser = Annotated[bool, typer.Option("--user", help="Write to the user's file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
