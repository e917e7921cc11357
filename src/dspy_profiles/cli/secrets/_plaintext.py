"""Secrets that stand in clear in a file, for the commands that must not pass them on."""

from collections.abc import Iterator, Mapping
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import PlaintextSecret
from dspy_profiles.profiles import Definition, Freezer, Scene, Source, Table, sections
from dspy_profiles.secrets import BUILT_IN_SCHEMES, Names, has_reference, is_plaintext, plaintext_in

__all__ = ["definitions", "frozen", "is_clear", "plaintext_keys", "refuse_in_clear"]


def definitions(scene: Scene) -> Iterator[Definition]:
    """Every profile as each of its layers writes it, nearest first."""
    for rank, (layer, document) in enumerate(scene.catalog.documents):
        for name, table in document.data.items():
            if isinstance(table, dict) and name != "$schema":
                yield Definition(name, layer, rank, table, document)


def is_clear(text: str) -> bool:
    """Whether a text under a secret's name is a secret itself, or holds one beside a reference."""
    refers = has_reference(text, BUILT_IN_SCHEMES)
    return any(map(is_plaintext, plaintext_in(text, refers=refers)))


def plaintext_keys(definition: Definition, names: Names) -> list[KeyPath]:
    """The keys under which a definition holds a secret itself."""
    return list(_marked(definition, names)[0].plaintext)


def frozen(definition: Definition, names: Names) -> Table:
    """What a definition says by itself; what may hold a secret in clear is a `Secret` or masked."""
    return _marked(definition, names)[1]


def refuse_in_clear(definition: Definition, names: Names, hint: str) -> None:
    """An error that names every secret in clear and repeats none."""
    found = plaintext_keys(definition, names)
    if found:
        keys = ", ".join(map(join_key, found))
        are = "are secrets" if len(found) > 1 else "is a secret"
        raise PlaintextSecret(
            f'{keys} of "{definition.name}" {are} in clear', hint, definition.place(*found[0])
        )


def _marked(definition: Definition, names: Names) -> tuple[Freezer, Table]:
    own: Mapping[str, Any] = {k: v for k, v in definition.table.items() if k != "extends"}
    source = Source(definition.layer, definition.name, definition.document, (definition.name,))
    marks = Freezer(definition.name, names, allow_plaintext=False)
    return marks, marks.freeze(sections(own, source))
