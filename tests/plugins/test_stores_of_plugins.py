"""Kinds of result stores that plugins add."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles import plugins
from dspy_profiles.errors import ProviderError, StoreError
from dspy_profiles.results import BaseStore, open_store, record
from dspy_profiles.secrets import remember


@pytest.fixture
def serve() -> Iterator[Any]:
    """Registers what opens some schemes."""
    registered = []

    def serve(found: Any) -> None:
        class Plugin:
            @plugins.hookimpl
            def dspy_profiles_stores(self) -> Any:
                return found() if callable(found) else found

        registered.append(Plugin())
        plugins.manager().register(registered[-1])

    yield serve
    for plugin in registered:
        plugins.manager().unregister(plugin)


def test_a_function_opens_what_stands_behind_its_scheme(serve: Any, project: Path) -> None:
    asked = []

    def cloud(rest: Any, folder: Any) -> Any:
        asked.append((rest, folder))
        return open_store("memory:cloud")

    serve({"cloud": cloud})
    assert open_store("cloud://bucket/path:x").url == "memory:cloud"
    assert asked == [("//bucket/path:x", project)]


def test_it_gets_the_folder_of_the_settings_file(
    serve: Any, project: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(rest: str, folder: Path) -> Any:
        asked.append(folder)
        return open_store("memory:")

    serve({"cloud": opened})
    write("pyproject.toml", '[tool.dspy-profiles]\nstore = "cloud:x"\n')
    (project / "deep").mkdir()
    monkeypatch.chdir(project / "deep")
    open_store()
    assert asked == [project]


def test_an_import_path_is_imported_when_its_scheme_is_opened(
    serve: Any, write: Any, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    write(
        "house_stores.py",
        """
        from dspy_profiles.results import open_store
        def storage(rest, folder):
            return open_store(f"memory:{rest}")
        """,
    )
    monkeypatch.syspath_prepend(project)
    serve({"storage": "house_stores:storage"})
    open_store("memory:")
    assert "house_stores" not in sys.modules
    assert open_store("storage:one").url == "memory:one"
    del sys.modules["house_stores"]


def test_a_store_may_derive_from_the_base_of_all_stores(serve: Any, project: Path) -> None:
    class Cloud(BaseStore):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    cloud = Cloud("cloud:team", open_store(f"file:{project / 'cloud'}").storage)
    serve({"cloud": lambda rest, folder: cloud})
    with record("a run", store="cloud:team") as exp:
        exp.score("accuracy", 1)
    with open_store("cloud:team") as store:
        assert store is cloud
        assert [found.score for found in store.query_experiments(status="done")] == [1.0]
        assert store.query_trials(exp.id, kind="test") == []
        assert (store.recover(), store.rebuild(), list(store.verify(exp.id))) == ([], 1, [])
        with pytest.raises(TypeError, match=r"query_experiments\(\) got an .* argument 'score'"):
            store.query_experiments(score=1)  # type: ignore[call-arg]
    assert cloud.closed == 1


def test_it_may_replace_a_built_in_one(serve: Any) -> None:
    serve({"file": lambda rest, folder: open_store("memory:instead")})
    assert open_store("file:results").url == "memory:instead"
    assert open_store().url == "memory:instead"


def test_an_unknown_scheme_lists_those_that_there_are(serve: Any) -> None:
    serve({"cloud": lambda rest, folder: None})
    with pytest.raises(StoreError) as error:
        open_store("clod:bucket")
    assert error.value.message == (
        '"clod:bucket" is not a result store; known kinds: '
        "cloud:, file:, memory:, postgresql:, sqlite:"
    )
    assert error.value.hint == 'did you mean "cloud"?'


@pytest.mark.parametrize("url", ["", "results", "file", ":x", "C:\\results"])
def test_what_has_no_scheme_is_refused(url: Any) -> None:
    with pytest.raises(StoreError, match="is not a result store"):
        open_store(url)


def test_one_that_fails_is_told_without_secrets(serve: Any) -> None:
    remember("sk-plugin-key", "${KEY}")

    def fail(rest: Any, folder: Any) -> None:
        raise ValueError("sk-plugin-key was refused")

    serve({"cloud": fail})
    with pytest.raises(StoreError, match="cannot be opened: ValueError: ") as error:
        open_store("cloud:x")
    assert "${KEY} was refused" in error.value.message
    assert error.value.__cause__ is None


def test_an_error_of_ours_comes_as_it_is(serve: Any) -> None:
    def fail(rest: Any, folder: Any) -> None:
        raise StoreError("no such bucket", hint="make it", where=str(Path("here")))

    serve({"cloud": fail})
    with pytest.raises(StoreError, match=r"no such bucket\n  at here\n  hint: make it"):
        open_store("cloud:x")


@pytest.mark.parametrize("given", [None, 5, object])
def test_what_gives_no_store_is_told(serve: Any, given: Any) -> None:
    serve({"cloud": lambda rest, folder: given})
    with pytest.raises(StoreError, match="not a store"):
        open_store("cloud:x")


@pytest.mark.parametrize("opener", [5, None])
def test_what_cannot_be_called_is_told(serve: Any, opener: Any) -> None:
    serve({"cloud": opener})
    with pytest.raises(StoreError, match="cannot be opened: TypeError"):
        open_store("cloud:x")


def test_an_import_path_that_leads_nowhere_is_told(serve: Any) -> None:
    serve({"cloud": "house_of_nobody:open"})
    with pytest.raises(ProviderError, match='module "house_of_nobody" not found'):
        open_store("cloud:x")


def test_a_hook_that_fails_is_told(serve: Any) -> None:
    serve(lambda: 1 / 0)
    with pytest.raises(ProviderError, match="failed in dspy_profiles_stores"):
        open_store("file:results")
