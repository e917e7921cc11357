"""What the reader says of DSPy's source is what Python says of the imported DSPy.

The only tests here that import DSPy: a DSPy that is written in a way that the reader does not
understand fails them by name.
"""

import collections.abc
import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import sys
import types
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.schema._describe import describe
from dspy_profiles.schema.reader._annotations import instance, union

spec = importlib.util.find_spec("dspy")
assert spec is not None
assert spec.origin is not None
DESCRIPTOR = describe(Path(spec.origin).parents[1])
CLASSES = sorted(DESCRIPTOR["classes"])


@pytest.fixture(autouse=True)
def _packages_that_retrievers_want(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two retrievers import what DSPy does not bring along."""
    absent = [top for top in ("weaviate", "databricks") if importlib.util.find_spec(top) is None]
    for name in (n for top in absent for n in (top, f"{top}.util")):
        stub = types.ModuleType(name)
        stub.__path__ = []
        stub.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        for attribute in ("WeaviateClient", "Client", "get_valid_uuid"):
            setattr(stub, attribute, type(attribute, (), {"__module__": "weaviate"}))
        monkeypatch.setitem(sys.modules, name, stub)


def load(path: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def live(parameters: Any) -> Any:
    """Those that the function declares itself; widened ones come from a base."""
    return [p for p in parameters if p["from"] is None]


@pytest.mark.parametrize("name", CLASSES)
def test_parameters_are_those_of_inspect(name: Any) -> None:
    described = DESCRIPTOR["classes"][name]
    signature = inspect.signature(load(described["target"]).__init__)
    parameters = [p for n, p in signature.parameters.items() if n != "self"]
    if load(described["target"]).__init__ is object.__init__:
        parameters = []
    assert_same(live(described["parameters"]), parameters)


def assert_same(described: Any, parameters: Any) -> None:
    assert [p["name"] for p in described] == [p.name for p in parameters]
    assert [p["kind"] for p in described] == [p.kind.name for p in parameters]
    for ours, theirs in zip(described, parameters, strict=True):
        variable = theirs.kind in {theirs.VAR_POSITIONAL, theirs.VAR_KEYWORD}
        assert ours["required"] == (theirs.default is theirs.empty and not variable)
        if "default" in ours:
            assert ours["default"] == theirs.default
            assert type(ours["default"]) is type(theirs.default)
        else:
            assert theirs.default is theirs.empty or not isinstance(
                theirs.default, str | int | float | None
            )


@pytest.mark.parametrize("name", CLASSES)
def test_types_are_those_of_get_type_hints(name: Any) -> None:
    described = DESCRIPTOR["classes"][name]
    function = load(described["target"]).__init__
    try:
        hints = typing.get_type_hints(function)
    except NameError:
        pytest.skip("its annotations name what is not imported at run time")
    for parameter in live(described["parameters"]):
        if parameter["name"] in hints:
            assert parameter["type"] == as_json(hints[parameter["name"]]), parameter["name"]
        else:
            assert parameter["type"] == {"kind": "any"}


PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def as_json(hint: Any) -> Any:
    """A live annotation in the reader's terms."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return {"kind": PLAIN[hint]}
    if origin in {typing.Union, types.UnionType}:
        return union(*map(as_json, arguments))
    if origin is typing.Literal:
        return {"kind": "literal", "values": list(arguments)}
    if origin is type or hint is type:
        return {"kind": "class", "of": as_json(arguments[0]) if arguments else {"kind": "any"}}
    if origin is collections.abc.Callable or hint is typing.Callable:
        return {"kind": "callable"}
    if origin is list or hint is list:
        return {"kind": "list", "items": as_json(arguments[0]) if arguments else {"kind": "any"}}
    if origin is dict or hint is dict:
        return {"kind": "table", "values": as_json(arguments[1]) if arguments else {"kind": "any"}}
    if hint is typing.Any or isinstance(hint, typing.TypeVar):
        return {"kind": "any"}
    return instance(f"{hint.__module__}.{hint.__qualname__}")


def test_settings_are_those_of_the_imported_dspy() -> None:
    import dspy

    module = sys.modules["dspy.dsp.utils.settings"]
    defaults = module.DEFAULT_CONFIG
    assert dspy.settings is not None
    assert list(DESCRIPTOR["settings"]) == list(defaults)
    for name, parameter in DESCRIPTOR["settings"].items():
        assert parameter["default"] == defaults[name]
        assert type(parameter["default"]) is type(defaults[name])
    users = {name for name, p in DESCRIPTOR["settings"].items() if not p["internal"]}
    assert users == {
        *("lm", "adapter", "rm", "callbacks", "async_max_workers", "disable_history"),
        *("track_usage", "provide_traceback", "num_threads", "max_errors", "max_history_size"),
        *("allow_tool_async_sync_conversion", "max_trace_size", "warn_on_type_mismatch"),
        "interpreter_factory",
    }


@pytest.mark.parametrize(
    ("group", "package", "root"),
    [
        ("adapters", "dspy.adapters", "dspy.adapters.base.Adapter"),
        ("optimizers", "dspy.teleprompt", "dspy.teleprompt.teleprompt.Teleprompter"),
        ("retrievers", "dspy.retrievers", "dspy.retrievers.retrieve.Retrieve"),
    ],
)
def test_no_class_of_a_family_is_left_out(group: Any, package: Any, root: Any) -> None:
    base = load(root)
    found = set()
    for module in modules_of(package):
        for name, value in vars(module).items():
            own = inspect.isclass(value) and value.__module__.startswith(f"{package}.")
            if own and issubclass(value, base) and not name.startswith("_"):
                found.add(f"{value.__module__}.{value.__qualname__}")
    described = {DESCRIPTOR["classes"][name]["target"] for name in DESCRIPTOR[group]}
    assert found <= described


def modules_of(package: Any) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}."):
            yield importlib.import_module(info.name)


@pytest.mark.parametrize("name", CLASSES)
def test_the_public_name_leads_to_the_class(name: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, _, attribute = name.rpartition(".")
        public = getattr(importlib.import_module(module), attribute)
    assert public is load(DESCRIPTOR["classes"][name]["target"])


@pytest.mark.parametrize("name", CLASSES)
def test_bases_are_in_python_s_order(name: Any) -> None:
    described = DESCRIPTOR["classes"][name]
    order = [f"{c.__module__}.{c.__qualname__}" for c in load(described["target"]).__mro__[1:]]
    ours = [b for b in order if b.startswith("dspy.")]
    assert [b for b in described["bases"] if b.startswith("dspy.")] == ours


@pytest.mark.parametrize("name", [n for n in CLASSES if not DESCRIPTOR["classes"][n]["open"]])
def test_a_closed_class_refuses_what_is_no_parameter_of_it(name: Any) -> None:
    described = DESCRIPTOR["classes"][name]
    required = {p["name"]: None for p in described["parameters"] if p["required"]}
    with pytest.raises(TypeError, match="no_such_parameter|takes no arguments"):
        load(described["target"])(**required, no_such_parameter=1)


def test_the_classes_that_users_write_most_are_closed() -> None:
    closed = {n for n in CLASSES if not DESCRIPTOR["classes"][n]["open"]}
    assert {"dspy.ColBERTv2", "dspy.ChatAdapter", "dspy.JSONAdapter"} <= closed
    assert {"dspy.XMLAdapter", "dspy.TwoStepAdapter", "dspy.Embeddings"} <= closed


def test_what_kwargs_hand_on_to_a_base_is_a_parameter_of_the_class() -> None:
    adapter = {p["name"]: p for p in DESCRIPTOR["classes"]["dspy.TwoStepAdapter"]["parameters"]}
    base = inspect.signature(load("dspy.adapters.base.Adapter"))
    assert set(base.parameters) <= set(adapter)
    assert adapter["callbacks"]["from"] == "dspy.adapters.base.Adapter"
    assert adapter["extraction_model"]["type"]["written"] == "role"


def test_documentation_is_taken_from_docstrings() -> None:
    parameters = {p["name"]: p for p in DESCRIPTOR["classes"]["dspy.LM"]["parameters"]}
    assert parameters["temperature"]["doc"].startswith("The sampling temperature")
    embedder = {p["name"]: p for p in DESCRIPTOR["classes"]["dspy.Embedder"]["parameters"]}
    assert "200" in embedder["batch_size"]["doc"]
    assert "parallel processing" in DESCRIPTOR["settings"]["num_threads"]["doc"]
    assert "converted to sync" in DESCRIPTOR["settings"]["allow_tool_async_sync_conversion"]["doc"]
