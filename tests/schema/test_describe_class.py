"""Any class that a profile names is described from its source, and never run."""

import importlib
import inspect
import sys
import zipfile
from typing import Any

import pytest

from dspy_profiles.schema import describe_class
from dspy_profiles.schema.reader._stamps import SCHEMA_VERSION

TRAP = "raise SystemExit('this file was run')\n"


def names(description: Any) -> Any:
    return [p["name"] for p in description["parameters"]]


@pytest.fixture
def package(files: Any) -> Any:
    """A package whose files end the process if anything imports them."""
    return files(
        {
            "lab/__init__.py": "from .inner import *\n"
            "from .inner import Engine as Motor\nfrom . import inner\n"
            "Renamed = Motor\nDotted = inner.Engine\n" + TRAP,
            "lab/inner/__init__.py": "from lab.inner.deep import Engine, _Hidden\n"
            "__all__ = ['Engine', 'Late']\n__all__ += ['More']\n"
            "class Late:\n    def __init__(self, late): ...\n"
            "class More:\n    def __init__(self, more): ...\n"
            "class Kept:\n    def __init__(self, kept): ...\n" + TRAP,
            "lab/inner/deep.py": "class Engine:\n"
            "    def __init__(self, url: str, n: int = 3): ...\n"
            "    class Part:\n        def __init__(self, size): ...\n"
            "class _Hidden:\n    pass\n" + TRAP,
        }
    )


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("lab.inner.deep.Engine", "lab.inner.deep.Engine"),
        ("lab.inner.deep:Engine", "lab.inner.deep.Engine"),
        ("lab.inner.Engine", "lab.inner.deep.Engine"),
        ("lab.Engine", "lab.inner.deep.Engine"),
        ("lab.Motor", "lab.inner.deep.Engine"),
        ("lab.Renamed", "lab.inner.deep.Engine"),
        ("lab.Dotted", "lab.inner.deep.Engine"),
        ("lab.Late", "lab.inner.Late"),
        ("lab.More", "lab.inner.More"),
        ("lab:Engine.Part", "lab.inner.deep.Engine.Part"),
        ("lab.inner.deep.Engine.Part", "lab.inner.deep.Engine.Part"),
    ],
)
def test_re_exports_lead_to_the_class(package: Any, path: Any, target: Any) -> None:
    described = describe_class(path, [package])
    assert (described["target"], described["found"]) == (target, True)
    assert described["parameters"]
    assert not described["open"]


@pytest.mark.parametrize("path", ["lab.Kept", "lab._Hidden", "lab.Nothing", "lab.nowhere.X"])
def test_what_a_package_does_not_export_is_not_found(package: Any, path: Any) -> None:
    described = describe_class(path, [package])
    assert (described["found"], described["open"]) == (False, True)
    assert described["reason"]


def test_a_description_is_plain_json_and_says_what_it_is_of(package: Any) -> None:
    import json

    described = describe_class("lab.Engine", [package])
    assert json.loads(json.dumps(described)) == described
    assert described["schema_version"] == SCHEMA_VERSION
    url, number = described["parameters"]
    assert (url["annotation"], url["type"], url["required"]) == ("str", {"kind": "string"}, True)
    assert (number["default"], number["required"]) == (3, False)


def test_the_distribution_of_a_package_is_found_by_its_record(files: Any) -> None:
    folder = files(
        {
            "lab.py": "class X:\n    pass\n",
            "other_name-2.5.dist-info/RECORD": "lab.py,sha256=x,1\n",
        }
    )
    described = describe_class("lab.X", [folder])
    assert (described["distribution"], described["version"]) == ("other_name", "2.5")


# Each of these is described, imported, and compared with what `inspect` says.
SOURCES = {
    "plain": "class X:\n    def __init__(self, a, /, b, *rest, c, d=1, **more): ...\n",
    "inherited": "class A:\n    def __init__(self, a, b=2): ...\nclass X(A):\n    pass\n",
    "second base": "class A: pass\nclass B:\n    def __init__(self, b): ...\nclass X(A, B): pass\n",
    "diamond": "class R:\n    def __init__(self, r): ...\nclass A(R): pass\n"
    "class B(R):\n    def __init__(self, b): ...\nclass X(A, B): pass\n",
    "generic": "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
    "class A(Generic[T]):\n    def __init__(self, a): ...\nclass X(A[int]): pass\n",
    "nothing": "class X:\n    pass\n",
    "abstract": "from abc import ABC, abstractmethod\nclass X(ABC):\n"
    "    @abstractmethod\n    def go(self): ...\n    def __init__(self, a=None): ...\n",
    "by new": "class X:\n    def __new__(cls, a, b=1): return object.__new__(cls)\n",
    "dataclass": "from dataclasses import dataclass, field\nfrom typing import ClassVar\n"
    "@dataclass\nclass A:\n    a: int\n    b: str = 'x'\n"
    "@dataclass\nclass X(A):\n    b: str = 'y'\n    c: list = field(default_factory=list)\n"
    "    d: int = field(default=1, kw_only=True)\n    e: ClassVar[int] = 3\n"
    "    f: int = field(init=False, default=0)\n",
    "keyword dataclass": "import dataclasses\n@dataclasses.dataclass(kw_only=True)\nclass X:\n"
    "    a: int\n    b: str = 'x'\n",
    "dataclass with a mark": "from dataclasses import KW_ONLY, dataclass\n@dataclass\nclass X:\n"
    "    a: int\n    _: KW_ONLY\n    b: str = 'x'\n",
    "dataclass with its own": "from dataclasses import dataclass\n@dataclass\nclass X:\n"
    "    a: int\n    def __init__(self, z): self.a = z\n",
    "dataclass without": "from dataclasses import dataclass\n@dataclass(init=False)\nclass X:\n"
    "    a: int\n",
    "model": "from pydantic import BaseModel, Field\nclass A(BaseModel):\n    a: int\n"
    "class X(A):\n    model_config = {'extra': 'forbid'}\n    b: str = 'x'\n"
    "    c: list[int] = Field(default_factory=list, description='some')\n"
    "    d: int = Field(..., ge=0)\n    e: int = Field(alias='ee', default=1)\n",
    "conditional": "import sys\nif sys.version_info > (3,):\n    class X:\n"
    "        def __init__(self, new): ...\nelse:\n    class X:\n"
    "        def __init__(self, old): ...\n",
    "tried": "try:\n    from no_such_package import X\nexcept ImportError:\n    class X:\n"
    "        def __init__(self, spare): ...\n",
    "model with a config": "from typing import Any\nfrom pydantic import BaseModel, ConfigDict\n"
    "class X(BaseModel):\n    model_config: Any = ConfigDict(extra='forbid')\n    a: int\n"
    "    _own: int = 0\n",
    "overloaded": "from typing import overload\nclass X:\n    @overload\n"
    "    def __init__(self, a: int): ...\n    @overload\n    def __init__(self, a: str): ...\n"
    "    def __init__(self, a): ...\n",
    "rebound": "class X:\n    def __init__(self, first): ...\nclass X:\n"
    "    def __init__(self, second): ...\n",
}


@pytest.mark.parametrize("case", SOURCES)
def test_parameters_are_those_of_the_living_class(
    files: Any, monkeypatch: pytest.MonkeyPatch, case: Any
) -> None:
    module = f"sample_{case.replace(' ', '_')}"
    folder = files({f"{module}.py": SOURCES[case]})
    described = describe_class(f"{module}.X", [folder])

    monkeypatch.syspath_prepend(str(folder))
    if case == "tried":  # what cannot be imported here cannot be read here either
        assert described["open"]
        return
    living = importlib.import_module(module).X
    monkeypatch.delitem(sys.modules, module)
    expected = [
        (p.name, p.kind.name, p.default is p.empty and not p.kind.name.startswith("VAR"))
        for p in inspect.signature(living).parameters.values()
    ]
    ours = [(p["name"], p["kind"], p["required"]) for p in described["parameters"]]
    assert ours == expected
    assert described["open"] == any(kind == "VAR_KEYWORD" for _, kind, _ in expected)


@pytest.mark.parametrize(
    ("body", "expected", "is_open"),
    [
        ("super().__init__(**kwargs)", ["own", "kwargs", "a", "b"], False),
        ("super().__init__(own, **kwargs)", ["own", "kwargs", "b"], False),
        ("super().__init__(a=1, **kwargs)", ["own", "kwargs", "b"], False),
        ("Base.__init__(self, **kwargs)", ["own", "kwargs", "a", "b"], False),
        ("Base.__init__(self, 1, **kwargs)", ["own", "kwargs", "b"], False),
        (
            "x = kwargs.pop('x', 1); super().__init__(**kwargs)",
            ["own", "kwargs", "a", "b", "x"],
            False,
        ),
        ("kwargs['b'] = 2; super().__init__(**kwargs)", ["own", "kwargs", "a", "b"], False),
        ("self.kwargs = kwargs; super().__init__(**kwargs)", ["own", "kwargs", "a", "b"], True),
        ("super().__init__(1); other(**kwargs)", ["own", "kwargs"], True),
        ("super().__init__(1)", ["own", "kwargs"], True),
    ],
)
def test_kwargs_are_followed_to_the_base(
    files: Any, body: Any, expected: Any, is_open: Any
) -> None:
    folder = files(
        {
            "lab.py": "class Base:\n    def __init__(self, a, b: int = 1): ...\n"
            f"class X(Base):\n    def __init__(self, own, **kwargs):\n        {body}\n"
        }
    )
    described = describe_class("lab.X", [folder])
    assert names(described) == expected
    assert described["open"] is is_open


def test_a_base_of_another_distribution_is_followed(files: Any) -> None:
    folder = files(
        {
            "app.py": "import dspy\nclass Mine(dspy.ChatAdapter):\n"
            "    def __init__(self, tone: str = 'dry', **kwargs):\n"
            "        super().__init__(**kwargs)\n"
        }
    )
    described = describe_class("app.Mine", [folder])
    assert "dspy.adapters.base.Adapter" in described["bases"]
    assert {"tone", "callbacks", "use_json_adapter_fallback"} <= set(names(described))
    assert not described["open"]


def test_a_function_is_described_as_well(files: Any) -> None:
    folder = files({"lab.py": "def make(url: str, retries: int = 3): ...\n"})
    described = describe_class("lab:make", [folder])
    assert (described["kind"], names(described)) == ("function", ["url", "retries"])


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("int | None", {"kind": "union", "of": [{"kind": "integer"}, {"kind": "null"}]}),
        ("'Optional[bool]'", {"kind": "union", "of": [{"kind": "boolean"}, {"kind": "null"}]}),
        ("Union[str, List[float]]", None),
        ("Literal['a', 'b', 3]", {"kind": "literal", "values": ["a", "b", 3]}),
        ("Annotated[float, 'unit']", {"kind": "number"}),
        ("dict[str, list[int]]", None),
        ("Callable[[int], str]", {"kind": "callable"}),
        ("type[X]", None),
        ("Path", {"kind": "string"}),
        ("Alias", {"kind": "union", "of": [{"kind": "string"}, {"kind": "integer"}]}),
        ("Unknown", {"kind": "any"}),
        ("tuple[int, ...]", {"kind": "list", "items": {"kind": "integer"}}),
        ("'a broken ['", {"kind": "any"}),
        ("5", {"kind": "any"}),
        ("[int]", {"kind": "any"}),
        ("Optional", {"kind": "any"}),
        ("Path[str]", {"kind": "string"}),
        ("list", {"kind": "list", "items": {"kind": "any"}}),
        ("dict", {"kind": "table", "values": {"kind": "any"}}),
        ("Callable", {"kind": "callable"}),
        ("type", {"kind": "class", "of": {"kind": "any"}}),
        ("List[str | str]", {"kind": "list", "items": {"kind": "string"}}),
        ("Literal[None]", {"kind": "null"}),
        ("Literal[None, 1.5]", {"kind": "any"}),
        ("X[int]", {"kind": "object", "class": "lab.X", "written": "unknown"}),
    ],
)
def test_annotations_become_types(files: Any, annotation: Any, kind: Any) -> None:
    folder = files(
        {
            "lab.py": "from pathlib import Path\n"
            "from typing import Annotated, Callable, List, Literal, Optional, Union\n"
            "Alias = str | int\nLoop = 'Loop'\n"
            f"class X:\n    def __init__(self, a: {annotation}, loop: Loop = None): ...\n"
        }
    )
    parameter, loop = describe_class("lab.X", [folder])["parameters"]
    assert parameter["annotation"] == annotation
    if kind is not None:
        assert parameter["type"] == kind
    assert loop["type"] == {"kind": "any"}


@pytest.mark.parametrize(
    ("written", "default"),
    [
        ("LIMIT", 3),
        ("-1", -1),
        ("{'a': [1.5, None]}", {"a": [1.5, None]}),
        ("RAW", None),
        ("b'raw'", None),
        ("1e999", None),
        ("{1: 'a'}", None),
        ("make()", None),
        ("nowhere", None),
    ],
)
def test_a_default_is_told_where_it_is_plain_json(files: Any, written: Any, default: Any) -> None:
    source = f"LIMIT = 3\nRAW = b'raw'\nclass X:\n    def __init__(self, a={written}): ...\n"
    (parameter,) = describe_class("lab.X", [files({"lab.py": source})])["parameters"]
    assert parameter["default_source"] == written
    assert parameter.get("default") == default
    assert ("default" in parameter) is (default is not None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a statement of Python 3.12")
def test_a_type_statement_is_an_alias(files: Any) -> None:
    source = "type Few = int | str\nclass X:\n    def __init__(self, a: Few): ...\n"
    (parameter,) = describe_class("lab.X", [files({"lab.py": source})])["parameters"]
    assert parameter["type"] == {"kind": "union", "of": [{"kind": "integer"}, {"kind": "string"}]}


def test_docs_and_deprecations_are_read(files: Any) -> None:
    folder = files(
        {
            "lab.py": '''
import warnings
from warnings import deprecated

@deprecated("use Y")
class X:
    """Does it.

    Args:
        a (int): The first,
            on two lines.
        b: Deprecated. Say c.
    """
    def __init__(self, a, b=None, c=None, d=None, e=None, f=None, g=None):
        if d is not None:
            warnings.warn("say c, not d", DeprecationWarning, stacklevel=2)
        if e:
            warnings.warn(f"not {e}", category=DeprecationWarning)
        if f:
            warnings.warn("slow", UserWarning)
            self.f = f
        if f and g:
            warnings.warn("one of them", DeprecationWarning)

class N:
    def __init__(self, a, b):
        """Numpy style.

        Parameters
        ----------
        a : int
            What a is.
        b : str
            What b is.
        """
'''
        }
    )
    described = describe_class("lab.X", [folder])
    by_name = {p["name"]: p for p in described["parameters"]}
    assert described["doc"] == "Does it."
    assert described["deprecated"] == "use Y"
    assert by_name["a"]["doc"] == "The first, on two lines."
    assert by_name["b"]["deprecated"] == "Deprecated. Say c."
    assert by_name["c"]["deprecated"] is None
    assert by_name["d"]["deprecated"] == "say c, not d"
    assert by_name["e"]["deprecated"] == "deprecated"
    assert (by_name["f"]["deprecated"], by_name["g"]["deprecated"]) == (None, None)
    numpy = {p["name"]: p["doc"] for p in describe_class("lab.N", [folder])["parameters"]}
    assert numpy == {"a": "What a is.", "b": "What b is."}


UNREADABLE = {
    "a syntax error": (
        {"lab.py": "class X:\n  def __init__(self:\n"},
        "lab.X",
        "syntax error in line 2",
    ),
    "bytes that are no text": ({"lab.py": "class X: pass\n\0"}, "lab.X", "lab "),
    "made by type()": ({"lab.py": "X = type('X', (), {})\n"}, "lab.X", "created at run time"),
    "made by a call": ({"lab.py": "def f(): ...\nX = f()\n"}, "lab.X", "created at run time"),
    "names made at run time": (
        {"lab.py": "def __getattr__(n): return globals()[n]\n"},
        "lab.X",
        "makes names",
    ),
    "a namespace package": ({"lab/mod.py": ""}, "lab.X", "namespace package"),
    "a compiled module": ({"lab.abi3.so": ""}, "lab.X", "compiled"),
    "byte code alone": ({"lab.pyc": ""}, "lab.X", "byte code"),
    "a circle of imports": (
        {
            "lab/__init__.py": "",
            "lab/a.py": "from lab.b import X\n",
            "lab/b.py": "from lab.a import X\n",
        },
        "lab.a.X",
        "circle",
    ),
    "a circle of stars": (
        {
            "lab/__init__.py": "",
            "lab/a.py": "from lab.b import *\n",
            "lab/b.py": "from lab.a import *\n",
        },
        "lab.a.X",
        "has no X",
    ),
    "a circle of bases": (
        {"lab.py": "class X(Y): pass\nclass Y(X): pass\n"},
        "lab.X",
        "inherits from itself",
    ),
    "itself as its base": ({"lab.py": "class X(X): pass\n"}, "lab.X", "inherits from itself"),
    "a base that is missing": (
        {"lab.py": "from nowhere_at_all import B\nclass X(B): pass\n"},
        "lab.X",
        "nowhere_at_all is not installed",
    ),
    "a base of a module that is broken": (
        {"lab.py": "from bad import B\nclass X(B): pass\n", "bad.py": "def (:\n"},
        "lab.X",
        "bad has a syntax error",
    ),
    "a base that is worked out": (
        {"lab.py": "class X(make()): pass\n"},
        "lab.X",
        "while the program runs",
    ),
    "a base of the standard library": (
        {"lab.py": "import threading\nclass X(threading.Thread): pass\n"},
        "lab.X",
        "threading.Thread is not read",
    ),
    "a named tuple": (
        {"lab.py": "from typing import NamedTuple\nclass X(NamedTuple):\n    a: int\n"},
        "lab.X",
        "NamedTuple",
    ),
    "a dataclass on a base that is not read": (
        {
            "lab.py": "import dataclasses, threading\n@dataclasses.dataclass\n"
            "class X(threading.Thread):\n    a: int\n"
        },
        "lab.X",
        "threading.Thread is not read",
    ),
    "no such class in a class": ({"lab.py": "class X: pass\n"}, "lab.X.Y", "lab.X has no Y"),
    "an attribute of a function": ({"lab.py": "def x(): ...\n"}, "lab.x.Y", "no module or class"),
    "a strange decorator": (
        {"lab.py": "from attr import define\n@define\nclass X:\n    a: int\n"},
        "lab.X",
        "decorated with define",
    ),
    "a decorated constructor": (
        {"lab.py": "class X:\n    @wrap\n    def __init__(self, a): ...\n"},
        "lab.X",
        "decorated with wrap",
    ),
    "a module": ({"lab/__init__.py": "", "lab/x.py": ""}, "lab.x", "is a module"),
    "no import path": ({}, "not a path", "not an import path"),
    "an empty name": ({}, "", "not an import path"),
    "dots alone": ({}, "..", "not an import path"),
    "no such package": ({}, "no_such_package.X", "is not installed"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_open_and_says_why(files: Any, case: Any) -> None:
    texts, path, reason = UNREADABLE[case]
    described = describe_class(path, [files(texts)])
    assert described["open"] is True
    assert described["read"] is False
    assert reason in described["reason"]


def test_a_module_in_a_namespace_package_is_read(files: Any) -> None:
    folder = files({"lab/mod.py": "class X:\n    def __init__(self, a): ...\n"})
    assert names(describe_class("lab.mod.X", [folder])) == ["a"]


def test_a_zipped_package_is_not_read(tmp_path: Any) -> None:
    archive = tmp_path / "lab.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped_lab/__init__.py", "class X:\n    def __init__(self, a): ...\n")
    described = describe_class("zipped_lab.X", [archive])
    assert described["open"]
    assert "zip" in described["reason"]


def test_a_file_in_another_encoding_is_read(tmp_path: Any) -> None:
    text = (
        "# -*- coding: latin-1 -*-\nclass X:\n    '''Grüße'''\n    def __init__(self, a='ü'): ...\n"
    )
    (tmp_path / "lab.py").write_bytes(text.encode("latin-1"))
    described = describe_class("lab.X", [tmp_path])
    assert described["parameters"][0]["default"] == "ü"


def test_a_file_that_cannot_be_opened_is_no_traceback(files: Any) -> None:
    folder = files({"lab.py": "class X: pass\n"})
    (folder / "lab.py").unlink()
    (folder / "lab").mkdir()
    (folder / "lab" / "__init__.py").symlink_to(folder / "gone.py")
    assert describe_class("lab.X", [folder])["open"]


def test_a_nest_that_is_too_deep_is_no_traceback(files: Any) -> None:
    folder = files({"lab.py": f"x = {'(' * 3000}{')' * 3000}\nclass X: pass\n"})
    assert describe_class("lab.X", [folder])["open"]


def test_a_chain_that_is_too_long_is_no_traceback(files: Any) -> None:
    chain = "".join(f"X{n} = X{n + 1}\n" for n in range(3000))
    assert describe_class("lab.X0", [files({"lab.py": chain})])["open"]
    bases = "".join(f"class X{n}(X{n + 1}): pass\n" for n in range(3000))
    assert describe_class("lab.X0", [files({"lab.py": bases})])["open"]
    union = " | ".join(["int"] * 900)
    folder = files({"lab.py": f"class X:\n    def __init__(self, a: {union}): ...\n"})
    assert describe_class("lab.X", [folder])["found"]


def test_a_metaclass_that_makes_its_objects_leaves_a_class_open(files: Any) -> None:
    folder = files(
        {
            "lab.py": "class Meta(type):\n    def __call__(cls, *args, **kwargs): ...\n"
            "class A(metaclass=Meta):\n    def __init__(self, a): ...\nclass X(A): pass\n"
        }
    )
    described = describe_class("lab.X", [folder])
    assert described["read"]
    assert described["reason"] == "lab.A is made by its metaclass Meta"


def test_text_that_looks_like_code_misleads_nobody(files: Any) -> None:
    folder = files(
        {
            "lab.py": '''
"""Docs.

class X:
    def __init__(self, wrong): ...
"""
TEXT = """
def __init__(self):
class X(object):
"""
def helper(a="""
class X:
"""):
    return """
class X:
"""
class X:
    def other(self):
        return "def __init__(self, wrong): ..."
    def __init__(
        self,
        right,  # a comment: with a colon
        more={"a": ":"},
    ):
        """Doc: with a colon:"""
'''
        }
    )
    described = describe_class("lab.X", [folder])
    assert names(described) == ["right", "more"]
    assert described["doc"] == "Doc: with a colon:"
