"""From a URL to a store."""

from pathlib import Path
from typing import Any

from dspy_profiles import plugins
from dspy_profiles.config import load_settings, locate
from dspy_profiles.errors import ProfileError, StoreError, did_you_mean
from dspy_profiles.objects import import_path
from dspy_profiles.results.store._addresses import masked
from dspy_profiles.results.store._protocol import Store
from dspy_profiles.secrets import expand_user, redacted_error

__all__ = ["is_usual", "open_store"]

DEFAULT = Path(".dspy") / "results"  # at the project root


def open_store(url: str | None = None) -> Store:
    """A result store: `memory:`, `file:DIR`, `sqlite:FILE`, `postgresql://…`, or of a plugin.

    Without a URL it is that of the setting `store`. `memory:` is one store for the whole process,
    `memory:NAME` another. A relative path starts at the working directory, in a settings file at
    that file's folder. Without any setting it is `file:.dspy/results` at the project root.

    >>> open_store("memory:").query_experiments(status="done")
    []
    """
    if url is None:
        url, folder = _usual()
    else:
        folder = locate().cwd
    given_url: Any = url  # whatever a caller gives
    if not isinstance(given_url, str):
        raise StoreError(
            f"{given_url!r} is no result store",
            hint='give a store or its URL, such as "file:results"',
        )
    scheme, colon, rest = url.partition(":")
    schemes = plugins.stores()
    if not colon or scheme not in schemes:
        there = ", ".join(f"{name}:" for name in sorted(schemes))
        near = did_you_mean(scheme, schemes)
        raise StoreError(
            f'"{masked(url)}" is no result store; those that there are begin with {there}',
            hint=near or "write file:results, or sqlite:results.db",
        )
    return _opened(scheme, schemes[scheme], rest, folder)


def is_usual(store: Store) -> bool:
    """Whether it is the one that is opened without a URL."""
    url, folder = _usual()
    scheme, _, rest = url.partition(":")
    return store.url in (masked(url), f"{scheme}:{folder / expand_user(rest)}")


def _usual() -> tuple[str, Path]:
    """The URL of the setting `store`, and the folder that a path in it starts from."""
    here = locate()
    given = load_settings(here).values["store"]
    if isinstance(given.value, str):
        return given.value, given.folder
    return f"file:{here.root / DEFAULT}", here.cwd


def _opened(scheme: str, opener: Any, rest: str, folder: Path) -> Store:
    try:
        function: Any = import_path(opener) if isinstance(opener, str) else opener
        store = function(rest, folder)
    except ProfileError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin raises what it likes
        said, cause = redacted_error(error)
        raise StoreError(
            f"the result store {scheme}: cannot be opened: {said}",
            hint="mend or uninstall the package that registers it",
        ) from cause
    if not isinstance(store, Store):
        raise StoreError(
            f"what opens {scheme}: gave a {type(store).__name__}, which is no store",
            hint="it has to have what dspy_profiles.results.Store has",
        )
    return store
