"""Plaintext secrets in a file, for commands that must not pass them on."""

from collections.abc import Iterator, Mapping
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import PlaintextSecret
from dspy_profiles.profiles import Definition, Freezer, Scene, Source, Table, sections
from dspy_profiles.secrets import BUILT_IN_SCHEMES, Names, has_reference, is_plaintext, plaintext_in

__all__ = ["definitions", "frozen", "holds_plaintext", "plaintext_keys", "refuse_plaintext"]


def definitions(scene: Scene) -> Iterator[Definition]:
    """Yield every profile as each layer writes it, nearest layer first."""
    for rank, (layer, document) in enumerate(scene.catalog.documents):
        for name, table in document.data.items():
            if isinstance(table, dict) and name != "$schema":
                yield Definition(name, layer, rank, table, document)


def holds_plaintext(text: str) -> bool:
    """Return whether the value of a secret key is plaintext, or has some beside a reference."""
    refers = has_reference(text, BUILT_IN_SCHEMES)
    return any(map(is_plaintext, plaintext_in(text, refers=refers)))


def plaintext_keys(
    definition: Definition, names: Names, *, with_tolerated: bool = False
) -> list[KeyPath]:
    """Return the keys of a definition that hold a plaintext secret, and may not."""
    freezer, _ = _freeze(definition, names)
    return [*freezer.plaintext, *(freezer.tolerated if with_tolerated else ())]


def frozen(definition: Definition, names: Names) -> Table:
    """Return a definition's own values; plaintext secrets are `Secret` objects or masked."""
    return _freeze(definition, names)[1]


def refuse_plaintext(definition: Definition, names: Names, hint: str) -> None:
    """Raise PlaintextSecret if a definition has plaintext secrets. Names keys, not values."""
    keys = plaintext_keys(definition, names)
    if keys:
        are = "are plaintext secrets" if len(keys) > 1 else "is a plaintext secret"
        raise PlaintextSecret(
            f'profile "{definition.name}": {", ".join(map(join_key, keys))} {are}',
            hint,
            definition.place(*keys[0]),
        )


def _freeze(definition: Definition, names: Names) -> tuple[Freezer, Table]:
    own: Mapping[str, Any] = {k: v for k, v in definition.table.items() if k != "extends"}
    source = Source(definition.layer, definition.name, definition.document, (definition.name,))
    freezer = Freezer(definition.name, names, allow_plaintext=False)
    return freezer, freezer.freeze(sections(own, source))
