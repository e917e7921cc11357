"""`edit`: open a profiles file in the user's editor; save it only if it is valid."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import typer
from rich.text import Text

from dspy_profiles import schema
from dspy_profiles.cli._options import File, ToProject, ToUser, can_ask, confirm
from dspy_profiles.cli._output import MUTED, fail, note, out, warn
from dspy_profiles.cli.profiles._target import Target
from dspy_profiles.cli.secrets._plaintext import definitions, plaintext_keys
from dspy_profiles.config import (
    PROFILES_FILE,
    TRUSTED,
    Document,
    Edit,
    KeyPath,
    file_stamp,
    join_key,
    load_settings,
    locate,
    locked,
    read_toml,
    replace_file,
)
from dspy_profiles.display import on_path, show_place
from dspy_profiles.errors import (
    InvalidFile,
    InvalidProfile,
    Place,
    PlaintextSecret,
    ProfileError,
    WriteFailed,
)
from dspy_profiles.profiles import Catalog, Choice, Definition, Scene, resolve_choice

__all__ = ["add_to"]

EDITORS = ("notepad",) if os.name == "nt" else ("vi", "nano")
INVALID = 4


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog="Example: EDITOR='code --wait' dspy-profiles edit --project")(edit)


def edit(*, file: File = None, project: ToProject = False, user: ToUser = False) -> None:
    """Edit a profiles file; saves it only if it is valid.

    Opens $VISUAL, else $EDITOR. You can also edit a file that is invalid; its errors are printed
    first.
    """
    where, errors = _chosen(file, project=project, user=user)
    command = _editor()
    before = _content(where.path)
    for path, error in errors.items():
        warn(f"{show_place(error.where or Place(path))} is invalid: {error.message}", error.hint)
    folder = Path(tempfile.mkdtemp(prefix="dspy-profiles-"))
    copy = folder / where.path.name
    copy.write_bytes(before)
    keep = False
    try:
        keep = not _edited(where, before, copy, command)
    except BaseException:
        keep = _has_work(copy, before)
        raise
    finally:
        if keep:
            note(Text(f"your edited text is in {copy}"))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        raise typer.Exit(INVALID)


def _edited(where: Target, before: bytes, copy: Path, command: list[str]) -> bool:
    """Edit the copy and save it. Return False if it has unsaved changes."""
    while True:
        _open(command, copy)
        if not _has_work(copy, before):
            note(Text(f"{on_path(where.path)} is unchanged", style=MUTED))
            return True
        errors = list(_errors(where, copy))
        if not errors:
            _write(where, before, read_toml(copy))
            out(Text.assemble("saved   ", (on_path(where.path), MUTED)))
            return True
        for error in errors:
            fail(error)
        note(Text(f"{on_path(where.path)} was not changed"))
        if not can_ask() or not confirm("Open it again?", default=True):
            return False


def _chosen(
    file: Path | None, *, project: bool, user: bool
) -> tuple[Target, dict[Path, InvalidFile]]:
    """Return the file to open, and the errors of invalid files, which count as empty."""
    if (file is not None) + project + user > 1:
        raise typer.BadParameter("--file, --project and --user exclude each other")
    locations = locate(file=file)
    layer, path = "user", locations.user_file
    if locations.named_file is not None and not (project or user):
        layer, path = "file", locations.named_file
    elif project or (locations.project_file is not None and not user):
        layer, path = "project", locations.project_file or locations.root / PROFILES_FILE
    documents, errors = dict[Path, Document](), dict[Path, InvalidFile]()
    for each in (*(one.path for one in locations.layers), path):
        try:
            documents[each] = read_toml(each)
        except InvalidFile as error:
            documents[each], errors[each] = Document(each), error
    catalog = Catalog(tuple((one.name, documents[one.path]) for one in locations.layers))
    scene = Scene(locations, load_settings(locations), catalog)
    return Target(scene, path, layer), errors


def _content(path: Path) -> bytes:
    """Return a file's bytes, even if it is invalid. Raise InvalidFile if it cannot be read."""
    try:
        whole = read_toml(path)
    except InvalidFile:
        with suppress(OSError):
            if path.is_file():
                return path.read_bytes()
        raise
    return whole.text.encode(whole.encoding)


def _editor() -> list[str]:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if command:
        try:
            words = shlex.split(command, posix=os.name != "nt")
        except ValueError:
            words = []
        if words and words[0].strip():
            return words
        raise InvalidFile("$VISUAL or $EDITOR is not a command", "export EDITOR='code --wait'")
    editor = next((name for name in EDITORS if shutil.which(name)), None)
    if editor is None:
        raise InvalidFile("no editor found", "export EDITOR=nano")
    return [editor]


def _open(command: list[str], copy: Path) -> None:
    try:
        code = subprocess.run([*command, str(copy)], check=False).returncode  # noqa: S603 - the user's
    except OSError as error:
        raise InvalidFile(
            f"editor {command[0]} not started: {error.strerror}", "export EDITOR=nano"
        ) from None
    if code:
        raise InvalidFile(
            f"editor {command[0]} exited with {code}; nothing was changed", "export EDITOR=nano"
        )


def _has_work(copy: Path, before: bytes) -> bool:
    with suppress(OSError):
        return copy.read_bytes() != before
    return False


def _errors(where: Target, copy: Path) -> Iterator[ProfileError]:
    """Yield the errors that the edit adds, each with its line."""
    try:
        after = read_toml(copy)
    except InvalidFile as error:
        yield error
        return
    old, new = where.scene, where.after(Edit(Document(where.path, after.text, after.data)))
    known = _known_findings(old)
    for name in new.catalog.names():
        if name in known or name not in old.catalog.names():
            yield from _new_errors(new, name, known.get(name, set()))
    yield from _new_secrets(where, old, new)
    default = old.settings.text("default")
    if default in known and default not in new.catalog.names():
        note(Text(f"the setting default is still {default}, which is deleted"))


Findings = set[tuple[KeyPath, str]]


def _new_errors(scene: Scene, name: str, known: Findings) -> Iterator[ProfileError]:
    try:
        profile = resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError as error:
        yield error
        return
    for one in schema.check(profile, schema.descriptor()):
        if one.severity == "error" and (one.key, one.message) not in known:
            yield InvalidProfile(f"{name}: {one.message}", one.hint, one.where)


def _known_findings(scene: Scene) -> dict[str, Findings]:
    """Return the profiles that resolve, each with what is already wrong with its values."""
    known: dict[str, Findings] = {}
    for name in scene.catalog.names():
        with suppress(ProfileError):
            profile = resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
            findings = schema.check(profile, schema.descriptor())
            known[name] = {(one.key, one.message) for one in findings}
    return known


def _new_secrets(where: Target, old: Scene, new: Scene) -> Iterator[ProfileError]:
    """Yield an error for each plaintext secret that the edit adds."""
    names = new.names

    def plaintext(scene: Scene) -> dict[tuple[str, ...], Definition]:
        own = (d for d in definitions(scene) if d.document and d.document.path == where.path)
        return {(d.name, *key): d for d in own for key in plaintext_keys(d, names)}

    def value(definition: Definition, key: tuple[str, ...]) -> object:
        node: object = definition.table
        for part in key[1:]:
            node = node.get(part) if isinstance(node, dict) else node
        return node

    before = plaintext(old)
    for key, definition in plaintext(new).items():
        if key not in before or value(before[key], key) != value(definition, key):
            yield PlaintextSecret(
                f'profile "{key[0]}": {join_key(key[1:])} is a plaintext secret',
                "put it in .env and write a reference, such as ${NAME}",
                definition.place(*key[1:]),
            )


def _write(where: Target, before: bytes, after: Document) -> None:
    """Replace the file, unless it has changed since it was opened.

    `editing` refuses an invalid file; here its fixed version is saved.
    """
    target = Path(os.path.realpath(where.path))  # a link stays a link
    with locked(target):
        stamp = file_stamp(target)
        if _content(target) != before:
            raise WriteFailed(
                "another program changed the file while it was open",
                "nothing was saved; merge both versions",
                Place(where.path),
            )
        with TRUSTED.keeps(where.path):
            replace_file(Document(target, stamp=stamp, encoding=after.encoding), after.text)
