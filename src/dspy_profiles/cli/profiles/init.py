"""`init`: create a profile, by prompts or options. Writes references, no keys."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dspy_profiles.cli._options import File, ToProject, ToUser, need_a_person
from dspy_profiles.cli._output import ACCENT, MUTED, columns, note, out
from dspy_profiles.cli.profiles._known_models import PROVIDERS, Provider, provider_of
from dspy_profiles.cli.profiles._target import (
    Target,
    Warnings,
    change,
    check_name,
    refuse_taken,
    target,
)
from dspy_profiles.config import Edit, join_key
from dspy_profiles.display import on_path, show_place, word
from dspy_profiles.errors import InvalidProfile, PlaintextSecret, ProfileError, did_you_mean
from dspy_profiles.profiles import Scene, choose, leaves
from dspy_profiles.secrets import VARIABLE, names_in_files

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add this command to an app."""
    app.command(epilog="Example: dspy-profiles init --profile dev --provider openai --yes")(init)


def init(
    *,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="Name of the profile.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            help=f"One of {', '.join(PROVIDERS)}.",
            autocompletion=lambda: list(PROVIDERS),
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model, such as openai/gpt-4o.")
    ] = None,
    key_variable: Annotated[
        str | None,
        typer.Option(
            "--key-variable",
            metavar="NAME",
            help="Name of the variable that holds the key.",
        ),
    ] = None,
    api_base: Annotated[
        str | None, typer.Option("--api-base", metavar="URL", help="Address of the server.")
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="Description of the profile.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not prompt; use defaults for missing options.")
    ] = False,
    file: File = None,
    project: ToProject = False,
    user: ToUser = False,
) -> None:
    """Create a profile: asks for provider, model and key variable.

    Options answer the prompts. The key itself is never asked for: the profile refers to the
    variable that holds it.
    """
    if not yes:
        need_a_person("--yes uses the options, and defaults for the rest")
    answers = _Answers(yes=yes)
    where, name = _place(profile, answers, file=file, project=project, user=user)
    chosen = _provider(provider, model, answers)
    values = _values(chosen, model, api_base, key_variable, answers)
    table: dict[str, Any] = chosen.table(*values)
    if description:
        table["description"] = _no_key(description)

    def add(edit: Edit, _: Warnings) -> None:
        refuse_taken(edit.data, name)
        edit.set((name,), table)

    change(where, name, add, [key for key, _ in leaves(table)])
    _print_result(where, name, table)


def _values(
    chosen: Provider,
    model: str | None,
    api_base: str | None,
    variable: str | None,
    answers: "_Answers",
) -> tuple[str | None, str | None, str | None]:
    """Return model, address and key variable, each None if the provider has none."""
    if not chosen.has_model:
        if model or api_base or variable:
            raise typer.BadParameter(f"{chosen.name} takes no model, address or key")
        return None, None, None
    named = answers.text(model, chosen.ask_model(), chosen.models, _no_key)
    address = key = None
    if chosen.api_base or api_base:
        address = answers.text(api_base, "Address of the server", chosen.api_base, _no_key)
    if chosen.variable or variable:
        question = "Variable that holds the key (none: no key)"
        key = answers.text(variable, question, chosen.variable, _variable_name)
    return named, address, None if key == "none" else key


class _Answers:
    """Answers from the options, else from the user, else from the defaults."""

    def __init__(self, *, yes: bool) -> None:
        self.yes = yes

    def text(
        self,
        option: str | None,
        question: str,
        defaults: tuple[str, ...],
        check: Callable[[str], str],
    ) -> str | None:
        if option is not None:
            return check(option)
        default = defaults[0] if defaults else None
        if self.yes:
            if default is None:
                raise typer.BadParameter(f"missing option for: {question.lower()}")
            return default
        while True:
            try:
                return check(str(typer.prompt(question, default=default, err=True)).strip())
            except ProfileError as error:
                note(Text(f"{error.message}: {error.hint}", style="red"))


def _place(
    option: str | None, answers: _Answers, *, file: Path | None, project: bool, user: bool
) -> tuple[Target, str]:
    """Return the file to write to, and a name that is free in it."""
    targets: list[Target] = []

    def free(name: str) -> str:
        check_name(_no_key(name))
        where = target(name, file=file, project=project, user=user)
        documents = where.scene.catalog.documents
        refuse_taken(
            next((doc.data for _, doc in documents if doc.path == where.path), {}),
            name,
            f"choose another name, or change it: dspy-profiles set {word(name)} KEY VALUE",
        )
        targets[:] = [where]
        return name

    name = answers.text(option, "Name of the profile", ("default",), free)
    if not targets:
        free(str(name))
    return targets[0], str(name)


def _provider(option: str | None, model: str | None, answers: _Answers) -> Provider:
    if option is None and model is not None:
        return provider_of(model)
    default = "mock" if answers.yes else "openai"
    names = list(PROVIDERS)

    def known(text: str) -> str:
        if text.isdigit() and 1 <= int(text) <= len(names):
            return names[int(text) - 1]
        if text.lower() in PROVIDERS:
            return text.lower()
        near = did_you_mean(text.lower(), names)
        hint = near or f"choose one of {', '.join(names)}"
        raise InvalidProfile(f'unknown provider "{_no_key(text)}"', hint)

    if option is None and not answers.yes:
        rows = [(f"  {n}", each.name, each.help) for n, each in enumerate(PROVIDERS.values(), 1)]
        note(columns([(n, Text(name, style=ACCENT), help_) for n, name, help_ in rows]))
    return PROVIDERS[str(answers.text(option, "Provider", (default,), known))]


_KEY_STARTS = re.compile(r"\b(sk-|gsk_|xai-|AIza|ghp_|hf_)\w{4}|[0-9a-f]{32}")
_LONGEST_WORD = 16  # characters of one word with digits in it; keys are longer


def _no_key(text: str) -> str:
    """Return the text. Raise PlaintextSecret if it looks like a key, without repeating it."""
    if _KEY_STARTS.search(text):
        hint = "it was not saved; put keys in .env"
        raise PlaintextSecret("the answer looks like a key", hint)
    return text


def _variable_name(text: str) -> str:
    """Return NAME for `NAME`, `$NAME` or `${NAME}`. Raise if it looks like a key."""
    name = text.removeprefix("$").removeprefix("{").removesuffix("}")
    words = name.split("_")
    digits = any(sign.isdigit() for sign in name)
    mixed = name != name.upper() and name != name.lower()
    looks_random = digits and (mixed or any(len(word) >= _LONGEST_WORD for word in words))
    is_name = VARIABLE.fullmatch(name) is not None
    if is_name and not looks_random and not _KEY_STARTS.search(name):
        return name
    kind = PlaintextSecret if looks_random or len(name) >= _LONGEST_WORD else InvalidProfile
    raise kind(
        "the key variable is not a valid variable name",
        "pass its name, such as OPENAI_API_KEY; put the key itself in .env",
    )


def _print_result(where: Target, name: str, table: Mapping[str, Any]) -> None:
    scene = Scene.now(where.path if where.layer == "file" else None)
    line = scene.catalog.get(name, "").place()
    out(Text.assemble((name, "bold"), " is written   ", (show_place(line), MUTED)))
    for key, value in leaves(table):
        note(Text.assemble("  ", (join_key(key), MUTED), f"  {value}"))
    variable = str(table.get("lm", {}).get("api_key", ""))[2:-1]
    if variable and not _is_set(scene, variable):
        note(
            Text(f"{variable} is not set: add {variable}=… to {_env_file(scene)}, or"),
            Text(f"  export {variable}=…"),
        )
    named = word(name)
    option = f" --file {word(on_path(where.path))}" if where.layer == "file" else ""
    note(
        "next:",
        Text(f"  dspy-profiles show {named}{option}", style=ACCENT),
        Text(
            f"  dspy-profiles run --profile {named}{option} -- python my_program.py", style=ACCENT
        ),
        Text(f"  with profile({json.dumps(name, ensure_ascii=False)}): …", style=ACCENT),
    )
    if _active_name(scene) != name:
        note(Text(f"  dspy-profiles use {named}   to make it the default", style=MUTED))


def _active_name(scene: Scene) -> str | None:
    try:
        return choose(scene, None).name
    except ProfileError:
        return None


def _is_set(scene: Scene, variable: str) -> bool:
    return variable in os.environ or variable in names_in_files(scene.env_files)


def _env_file(scene: Scene) -> str:
    return on_path(scene.env_files[0]) if scene.env_files else ".env"
