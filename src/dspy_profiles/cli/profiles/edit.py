"""`edit`: a profiles file in one's own editor; it changes only when the result is sound."""

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
from dspy_profiles.cli._options import File, ToProject, ToUser, can_ask
from dspy_profiles.cli._output import MUTED, fail, note, out, warn
from dspy_profiles.cli.profiles._target import Target
from dspy_profiles.cli.profiles._write import PATIENCE
from dspy_profiles.cli.secrets._plaintext import definitions, plaintext_keys
from dspy_profiles.config import (
    PROFILES_FILE,
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

USUAL = ("notepad",) if os.name == "nt" else ("vi", "nano")
INVALID = 4


def add_to(app: typer.Typer) -> None:
    """Put this command into an app."""
    app.command(epilog="Example: EDITOR='code --wait' dspy-profiles edit --project")(edit)


def edit(*, file: File = None, project: ToProject = False, user: ToUser = False) -> None:
    """Open a profiles file in $VISUAL or $EDITOR; it changes only when the result is sound.

    A file that is broken is opened all the same: what is wrong with it is told first.
    """
    where, faults = _chosen(file, project=project, user=user)
    command = _editor()
    before = _content(where.path)
    for path, fault in faults.items():
        warn(f"{show_place(fault.where or Place(path))} is broken: {fault.message}", fault.hint)
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
            note(Text(f"your text is kept in {copy}"))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if keep:
        raise typer.Exit(INVALID)


def _edited(where: Target, before: bytes, copy: Path, command: list[str]) -> bool:
    """Whether the work is done: written, or nothing to write; if not, the copy holds it."""
    while True:
        _open(command, copy)
        if not _has_work(copy, before):
            note(Text(f"{on_path(where.path)} is as it was", style=MUTED))
            return True
        faults = list(_faults(where, copy))
        if not faults:
            _write(where, before, read_toml(copy))
            out(Text.assemble("written   ", (on_path(where.path), MUTED)))
            return True
        for fault in faults:
            fail(fault)
        note(Text(f"{on_path(where.path)} was not changed"))
        if not can_ask() or not typer.confirm("Open it again?", default=True, err=True):
            return False


def _chosen(
    file: Path | None, *, project: bool, user: bool
) -> tuple[Target, dict[Path, InvalidFile]]:
    """The file to open, and what is wrong with each that is broken; that one counts as empty."""
    if (file is not None) + project + user > 1:
        raise typer.BadParameter("choose one of --file, --project and --user")
    found = locate(file=file)
    layer, path = "user", found.user_file
    if found.named_file is not None and not (project or user):
        layer, path = "file", found.named_file
    elif project or (found.project_file is not None and not user):
        layer, path = "project", found.project_file or found.root / PROFILES_FILE
    documents, faults = dict[Path, Document](), dict[Path, InvalidFile]()
    for each in (*(one.path for one in found.layers), path):
        try:
            documents[each] = read_toml(each)
        except InvalidFile as error:
            documents[each], faults[each] = Document(each), error
    catalog = Catalog(tuple((one.name, documents[one.path]) for one in found.layers))
    return Target(Scene(found, load_settings(found), catalog), path, layer), faults


def _content(path: Path) -> bytes:
    """What stands in a file, broken or not; what is none, or may not be read, is refused."""
    try:
        whole = read_toml(path)
    except InvalidFile:
        with suppress(OSError):
            if path.is_file():
                return path.read_bytes()
        raise
    return whole.text.encode(whole.encoding)


def _editor() -> list[str]:
    given = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if given:
        try:
            words = shlex.split(given, posix=os.name != "nt")
        except ValueError:
            words = []
        if words and words[0].strip():
            return words
        raise InvalidFile("$VISUAL or $EDITOR is no command", "as in EDITOR='code --wait'")
    found = next((name for name in USUAL if shutil.which(name)), None)
    if found is None:
        raise InvalidFile("there is no editor", "set EDITOR, as in EDITOR=nano")
    return [found]


def _open(command: list[str], copy: Path) -> None:
    try:
        code = subprocess.run([*command, str(copy)], check=False).returncode  # noqa: S603 - theirs
    except OSError as error:
        raise InvalidFile(
            f"the editor {command[0]} cannot be started: {error.strerror}", "set EDITOR"
        ) from None
    if code:
        raise InvalidFile(f"the editor {command[0]} failed with {code}", "nothing was changed")


def _has_work(copy: Path, before: bytes) -> bool:
    with suppress(OSError):
        return copy.read_bytes() != before
    return False


def _faults(where: Target, copy: Path) -> Iterator[ProfileError]:
    """What keeps the text from being written, each with its line in it."""
    try:
        after = read_toml(copy)
    except InvalidFile as error:
        yield error
        return
    old, new = where.scene, where.after(Edit(Document(where.path, after.text, after.data)))
    known = _sound(old)
    for name in new.catalog.names():
        if name in known or name not in old.catalog.names():
            yield from _new_faults(new, name, known.get(name, set()))
    yield from _new_secrets(where, old, new)
    default = old.settings.text("default")
    if default in known and default not in new.catalog.names():
        note(Text(f"{default} is gone, and is still the setting default"))


Said = set[tuple[KeyPath, str]]


def _new_faults(scene: Scene, name: str, known: Said) -> Iterator[ProfileError]:
    try:
        found = resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError as error:
        yield error
        return
    for one in schema.check(found, schema.descriptor()):
        if one.severity == "error" and (one.key, one.message) not in known:
            yield InvalidProfile(f"{name}: {one.message}", one.hint, one.where)


def _sound(scene: Scene) -> dict[str, Said]:
    """The profiles that resolve, each with what DSPy would not take of it even so."""
    found: dict[str, Said] = {}
    for name in scene.catalog.names():
        with suppress(ProfileError):
            profile = resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
            findings = schema.check(profile, schema.descriptor())
            found[name] = {(one.key, one.message) for one in findings}
    return found


def _new_secrets(where: Target, old: Scene, new: Scene) -> Iterator[ProfileError]:
    """Secrets in clear that were not there before: no command writes one."""
    names = new.names

    def held(scene: Scene) -> dict[tuple[str, ...], Definition]:
        mine = (d for d in definitions(scene) if d.document and d.document.path == where.path)
        return {(d.name, *key): d for d in mine for key in plaintext_keys(d, names)}

    def value(definition: Definition, key: tuple[str, ...]) -> object:
        node: object = definition.table
        for part in key[1:]:
            node = node.get(part) if isinstance(node, dict) else node
        return node

    before = held(old)
    for key, definition in held(new).items():
        if key not in before or value(before[key], key) != value(definition, key):
            yield PlaintextSecret(
                f'{join_key(key[1:])} of "{key[0]}" is a secret in clear',
                "put it into .env and write a reference, as in ${NAME}",
                definition.place(*key[1:]),
            )


def _write(where: Target, before: bytes, after: Document) -> None:
    """Replace the file by what was edited, unless it is no longer what was opened.

    `editing` would refuse one that was broken, and this is how it is mended.
    """
    target = Path(os.path.realpath(where.path))  # a link stays a link
    with locked(target, PATIENCE):
        stamp = file_stamp(target)
        if _content(target) != before:
            raise WriteFailed(
                "this file was changed by somebody else while it was being edited",
                "nothing was written; put the two together",
                Place(where.path),
            )
        replace_file(Document(target, stamp=stamp, encoding=after.encoding), after.text)
