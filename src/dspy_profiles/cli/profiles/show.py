"""`list`, `show`, `get`, `which`: import no user code, and resolve no reference."""

import os
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import AsJson, File, Name, keys_of, profile_names
from dspy_profiles.cli._output import (
    ACCENT,
    MUTED,
    Columns,
    as_json,
    columns,
    emit,
    note,
    out,
    out_value,
)
from dspy_profiles.config import join_key, split_key
from dspy_profiles.display import on_path, show_value, word
from dspy_profiles.errors import ProfileNotFound, did_you_mean
from dspy_profiles.profiles import (
    PLAINTEXT,
    UNTRUSTED,
    Choice,
    Origin,
    ResolvedProfile,
    Scene,
    active_choice,
    choose,
    leaves,
    profile_rows,
    resolve_choice,
    short_reason,
    summary,
)

__all__ = ["add_to", "origin_json"]


def add_to(app: typer.Typer) -> None:
    """Add these commands to an app."""
    app.command("list", epilog="Example: dspy-profiles list --json")(list_profiles)
    app.command(epilog="Example: dspy-profiles show prod")(show)
    app.command(epilog="Example: dspy-profiles get prod lm.model")(get)
    app.command(epilog="Example: dspy-profiles which")(which)


def list_profiles(*, file: File = None, json: AsJson = False) -> None:
    """List all profiles; * marks the active one."""
    scene = Scene.now(file)
    for _, doc in scene.catalog.documents:
        if doc.stamp is None:
            note(Text(f"{on_path(doc.path)} does not exist"))
    active = active_choice(scene)
    profiles = [summary(scene, name, active, lines=json) for name in scene.catalog.names()]
    if json:
        emit(profiles=profiles)
        return
    rows: list[tuple[str | Text, ...]] = []
    # Rich's texts cost more than all the rest: many profiles have few styles.
    shown = cache(lambda file: Text(on_path(Path(file)), style=MUTED))
    for one in profiles:
        name, model = one["name"], one["model"] or one["description"] or one["provider"] or ""
        reasons = [short_reason(scene, one["reason"])] if one["active"] else []
        remarks = " · ".join(
            [*reasons, *[PLAINTEXT] * one["plaintext"], *[UNTRUSTED] * (not one["trusted"])]
        )
        style = "red" if one["plaintext"] and not one["active"] else MUTED
        rows.append(
            (
                Text.assemble(("* ", ACCENT), (name, "bold")) if one["active"] else f"  {name}",
                Text("invalid", style="red") if one["error"] else model,
                ", ".join(one["extends"]),
                "" if one["file"] is None else shown(one["file"]),
                Text(remarks, style=style) if remarks else "",
            )
        )
    out(columns(rows, ("  PROFILE", "MODEL", "EXTENDS", "FROM", "")))
    for one in profiles:
        if one["error"]:
            note(Text(f"{one['name']}: {one['error']}", style="red"))
    _say_untrusted(scene)


def _say_untrusted(scene: Scene) -> None:
    """Say which files wait for trust, and how they get it."""
    if scene.untrusted:
        files = ", ".join(on_path(path) for path in sorted(scene.untrusted))
        named = scene.locations.named_file
        what = f" {word(on_path(named))}" if named in scene.untrusted else ""
        note(Text(f"not trusted: {files}", style="yellow"))
        note(Text(f"  hint: read what it does, then run dspy-profiles trust{what}", style=MUTED))


def show(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Profile name. Default: the active profile.", autocompletion=profile_names
        ),
    ] = None,
    *,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the profile's own lines, as written.")
    ] = False,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Show a profile's values, with the file and line of each."""
    scene = Scene.now(file)
    choice = _choice(scene, name)
    if raw:
        from dspy_profiles.cli.profiles._as_written import own_lines

        lines = own_lines(scene, choice.name)
        if json:
            place_of = scene.catalog.get(choice.name, choice.reason).place()
            emit(name=choice.name, file=str(getattr(place_of, "file", "")), text=lines)
        else:
            out(Text(lines))
        return
    profile = resolve_choice(scene, choice, allow_plaintext=True)
    active = active_choice(scene)
    is_active = active is not None and active.name == profile.name
    if json:
        emit(**_as_json(profile), active=is_active, reason=active.reason if is_active else None)  # type: ignore[union-attr]
        return
    out(_head(scene, profile, active if is_active else None), "")
    rows = [
        (row.key, row.value, Text(row.place, style=MUTED), Text(row.remark, style=MUTED))
        for row in profile_rows(scene, profile)
    ]
    out(columns(rows) if rows else Text("no values: DSPy's defaults are used", style=MUTED))


def _head(scene: Scene, profile: ResolvedProfile, active: Choice | None) -> Text:
    head = Text(profile.name, style="bold")
    head.append(f"  {profile.description or ''}", style="not bold")
    if active is not None:
        return head.append(f"   active: {short_reason(scene, active.reason)}", style=ACCENT)
    return head.append(f"   active: no   (dspy-profiles use {word(profile.name)})", style=MUTED)


def get(
    name: Name,
    key: Annotated[
        str,
        typer.Argument(help="A key, such as lm.model, or a section.", autocompletion=keys_of),
    ],
    *,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Print one value of a profile."""
    scene = Scene.now(file)
    profile = resolve_choice(scene, _choice(scene, name), allow_plaintext=True)
    path = split_key(key)
    value: Any = profile.values
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            known = [join_key(p) for p, _ in leaves(profile.values)]
            hint = did_you_mean(key, known) or f"keys: {', '.join(known) or 'none'}"
            raise ProfileNotFound(f'profile "{name}" does not set {key}', hint)
        value = value[part]
    if json:
        source = None if isinstance(value, Mapping) else origin_json(profile.origin(path))
        emit(profile=profile.name, key=key, value=as_json(value), origin=source)
    else:
        out_value(show_value(as_json(value)))


def which(*, file: File = None, json: AsJson = False) -> None:
    """Show which profile is active, and why."""
    scene = Scene.now(file)
    active = active_choice(scene)
    where = scene.locations
    files = [
        *((layer.name, layer.path) for layer in where.layers),
        *(
            ("user", where.user_file)
            for _ in [0]
            if not any(la.name == "user" for la in where.layers)
        ),
        *(("pyproject", path) for path in where.pyprojects),
        ("config", where.user_config),
        *((".env", path) for path in scene.env_files),
        *(("hidden", path) for path in where.hidden),
    ]
    if json:
        emit(
            profile=active.name if active else None,
            reason=active.reason if active else None,
            exists=active is not None and scene.catalog.find(active.name) is not None,
            root=str(where.root),
            files=[
                {
                    "kind": k,
                    "path": str(p),
                    "exists": os.path.exists(p),  # noqa: PTH110
                    "trusted": p not in scene.untrusted,
                }
                for k, p in files
            ],
        )
    else:
        if active is None:
            out(Text("no active profile", style="bold"))
        else:
            out(Text.assemble((active.name, "bold"), (f"   {active.reason}", ACCENT)))
        out("", _files(files, scene.untrusted))
        _say_untrusted(scene)
    if active is not None:
        scene.catalog.get(active.name, active.reason)  # raises if it does not exist


def _files(files: list[tuple[str, Path]], untrusted: Collection[Path]) -> Columns:
    rows = []
    for kind, path in files:
        exists = os.path.exists(path)  # noqa: PTH110 - Path.exists raises in a closed folder
        style = "" if exists else MUTED
        remark = Text("" if exists else "not found", style=MUTED)
        if path in untrusted:
            remark = Text(UNTRUSTED, style="yellow")
        rows.append((Text(kind, style=MUTED), Text(on_path(path), style=style), remark))
    return columns(rows)


def _choice(scene: Scene, name: str | None) -> Choice:
    return choose(scene, None) if name is None else Choice(name, "from the command line")


def origin_json(origin: Origin) -> dict[str, Any]:
    """Return an origin as JSON shows it."""
    return {
        "file": None if origin.file is None else str(origin.file),
        "line": origin.line,
        "layer": origin.layer,
        "profile": origin.profile,
    }


def _as_json(profile: ResolvedProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "description": profile.description,
        "extends": list(profile.parents),
        "files": [str(path) for path in profile.files],
        "values": [
            {
                "key": join_key(key),
                "value": as_json(value),
                "secret": key in profile.secret_keys,
                "origin": origin_json(profile.origin(key)),
            }
            for key, value in leaves(profile.values)
        ],
    }
