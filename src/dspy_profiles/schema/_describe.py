"""Describe the parameters of the installed DSPy, and of any class that a profile names.

A descriptor is plain JSON. One of DSPy has

| key | what |
|---|---|
| `schema_version` | of this shape |
| `distribution`, `version` | the package |
| `open`, `reason` | whether DSPy could not be read, and why |
| `classes` | public name -> description of a class |
| `names` | other paths of these classes -> public name |
| `lm`, `embedder`, `retrievers`, `adapters`, `optimizers` | public names |
| `settings` | key -> parameter, with `internal` |
| `settings_open` | why there may be unknown settings, or null |

The description of a class (from `describe_class` also with the first two rows above) has

| key | what |
|---|---|
| `name`, `target` | the requested path; the path of its definition |
| `kind`, `found` | "class", "function" or another kind; whether it exists |
| `parameters` | a list, in the order of the signature |
| `open`, `reason` | whether it accepts other keys, and why |
| `read` | whether the source shows every named parameter |
| `bases`, `doc`, `deprecated` | paths in Python's order; a paragraph; what to use instead |

A parameter has `name`, `kind` (as `inspect` calls it), `annotation` (as written), `type` (see
`_annotations`), `required`, `default` (where it is plain JSON), `default_source` (as written),
`doc`, `deprecated`, and `from`: the base class that takes it, if `**kwargs` forwards it.
"""

# Importing pathlib takes longer than reading the cache.
# ruff: noqa: PTH113, PTH118, PTH208

import ast
import gc
import os
import sys

from dspy_profiles.schema._settings import settings
from dspy_profiles.schema._values import is_import_path
from dspy_profiles.schema.reader import _locate
from dspy_profiles.schema.reader._bindings import Module
from dspy_profiles.schema.reader._classes import describe_target, inherits
from dspy_profiles.schema.reader._modules import Reader, Target
from dspy_profiles.schema.reader._stamps import SCHEMA_VERSION, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from dspy_profiles.schema.reader._stamps import Stamp

    Descriptor = dict[str, Any]
    Wanted = Callable[[Descriptor], bool]

__all__ = ["describe", "describe_class", "describe_installed"]

_RETRIEVERS = (
    "dspy.dsp.colbertv2:ColBERTv2RetrieverLocal",
    "dspy.dsp.colbertv2:ColBERTv2RerankerLocal",
)
_CLASS = "\nclass "
_TOO_DEEP = "its source is nested too deeply"


def describe(root: "Path | str") -> "Descriptor":
    """Describe the DSPy in the folder `root` (which contains `dspy/`), without the cache."""
    found, _ = _locate.locate("dspy", [str(root)])
    if not found.folders or found.file is None:
        return describe_installed(None, _locate.why_not(found))[0]
    return describe_installed(str(root), None)[0]


def describe_installed(root: str | None, reason: str | None) -> "tuple[Descriptor, list[Stamp]]":
    """Describe the DSPy in `root`; also return the stamp of every path that was read."""
    if root is None:
        return _blank(f"DSPy {reason}"), []
    name, version = _locate.distribution("dspy", [root, *sys.path])
    collecting = gc.isenabled()
    gc.disable()  # 100,000 new nodes, all in use: collecting takes a fifth of the time
    try:
        return _described(root, name, version)
    except RecursionError:
        return _blank(_TOO_DEEP), []
    finally:
        if collecting:
            gc.enable()


def _described(
    root: str, name: str | None, version: str | None
) -> "tuple[Descriptor, list[Stamp]]":
    reader = Reader([root, *sys.path])
    dspy = reader.module("dspy")
    dspy.bindings()
    made = _blank(None if dspy.reason is None else f"dspy {dspy.reason}")
    made["distribution"] = name or "dspy"
    made["version"] = version or _written_version(reader)
    if dspy.reason is None:
        _fill(reader, made)
    return made, reader.looked


def describe_class(path: str, search: "Sequence[Path | str]" = ()) -> "Descriptor":
    """Describe `pkg.mod.Class` or `pkg.mod:Class` in `search` or `sys.path`; import nothing.

    If the class cannot be read, the description is open and has the reason; `found` is false if
    there is no such class.
    """
    reader = Reader([*map(str, search), *sys.path] if search else None)
    try:
        made = describe_target(reader, _find(reader, path), path)
    except RecursionError:
        made = describe_target(reader, Target("opaque", path, reason=_TOO_DEEP), path)
    top = path.replace(":", ".").partition(".")[0]
    name, version = _locate.distribution(top, [*map(str, search), *sys.path])
    return {
        "schema_version": SCHEMA_VERSION,
        "distribution": name,
        "version": version,
    } | made


def _find(reader: Reader, path: str) -> Target:
    """Return the target of a path; opaque if it is neither a class nor a function."""
    if not is_import_path(path):
        return Target("missing", path, reason=f'"{path}" is not an import path')
    target = reader.find(path)
    if target.kind == "module":
        return Target("opaque", path, reason=f"{path} is a module, not a class")
    if target.kind == "value":
        return Target("opaque", path, reason=f"{path} is created at run time")
    return target


def _blank(reason: str | None) -> "Descriptor":
    return {
        "schema_version": SCHEMA_VERSION,
        "distribution": "dspy",
        "version": None,
        "open": reason is not None,
        "reason": reason,
        "classes": {},
        "names": {},
        "lm": "dspy.LM",
        "embedder": "dspy.Embedder",
        "retrievers": [],
        "adapters": [],
        "optimizers": [],
        "settings": {},
        "settings_open": reason,
    }


def _fill(reader: Reader, made: "Descriptor") -> None:
    for name in ("dspy.LM", "dspy.BaseLM", "dspy.Embedder"):
        _add(reader, made, reader.find(name), name)
    made["retrievers"] = [_add(reader, made, reader.find("dspy.ColBERTv2"), "dspy.ColBERTv2")]
    retrievers = [*_classes(reader, "dspy.retrievers"), *map(reader.find, _RETRIEVERS)]
    made["retrievers"] += _add_public(reader, made, retrievers, _is_retriever)
    adapters = _classes(reader, "dspy.adapters", "Adapter")
    made["adapters"] = _add_public(reader, made, adapters, _under("dspy.adapters.base.Adapter"))
    optimizers = _classes(reader, "dspy.teleprompt", "Teleprompter")
    base = _under("dspy.teleprompt.teleprompt.Teleprompter")
    made["optimizers"] = _add_public(reader, made, optimizers, base)
    made["settings"], made["settings_open"] = settings(reader)


def _classes(reader: Reader, package: str, root: str | None = None) -> list[Target]:
    """Return the public classes of a package's modules; with `root`, those that derive from it.

    Searches the text first, so that files without such a class are not parsed.
    """
    modules = list(_submodules(reader, package))
    if root is not None:
        modules = _deriving(modules, root)
    return [Target("class", n, m, node) for m in modules for n, node in m.classes()]


def _submodules(reader: Reader, package: str) -> "Iterator[Module]":
    for folder in reader.module(package).location.folders:
        reader.looked.append(stamp(folder))
        for entry in _entries(folder):
            stem, dot, suffix = entry.rpartition(".")
            if dot and suffix == "py" and stem != "__init__":
                yield reader.module(f"{package}.{stem}")
            elif not dot and os.path.isfile(os.path.join(folder, entry, "__init__.py")):
                yield from _submodules(reader, f"{package}.{entry}")


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _deriving(modules: "list[Module]", root: str) -> "list[Module]":
    heads = [
        (module, line.partition("(")[0].strip(), line.partition("(")[2])
        for module in modules
        for line in (part.partition(":")[0] for part in f"\n{module.source}".split(_CLASS)[1:])
    ]
    known: set[str] = {root}
    grown = True
    while grown:
        more = {name for _, name, bases in heads if any(k in bases for k in known)}
        grown = not more <= known
        known |= more
    return [m for m in modules if any(h[0] is m and h[1] in known for h in heads)]


def _add_public(
    reader: Reader, made: "Descriptor", targets: "Iterable[Target]", wanted: "Wanted"
) -> list[str]:
    names = []
    for target in targets:
        if target.kind != "class" or target.path in made["names"]:
            continue
        description = describe_target(reader, target, target.path)
        if wanted(description):
            public = _public(reader, target)
            made["names"] |= dict.fromkeys(public, public[0])
            names.append(_keep(made, description, public[0]))
    return names


def _add(reader: Reader, made: "Descriptor", target: Target, name: str) -> str:
    return _keep(made, describe_target(reader, target, name), name)


def _keep(made: "Descriptor", description: "Descriptor", name: str) -> str:
    made["classes"][name] = description | {"name": name}
    made["names"][description["target"]] = name
    return name


def _public(reader: Reader, target: Target) -> list[str]:
    """Return the public names of a class, those that DSPy exports first."""
    parts = target.path.split(".")
    packages = [".".join(parts[:count]) for count in (1, 2)]
    exported = [
        f"{package}.{target.name}"
        for package in packages
        if reader.lookup(reader.module(package), target.name).path == target.path
    ]
    return [*exported, target.path]


def _under(base: str) -> "Wanted":
    return lambda description: inherits(description, base)


def _is_retriever(description: "Descriptor") -> bool:
    module = description["target"].rpartition(".")[0]
    by_name = description["target"].endswith(("RM", "RetrieverLocal", "RerankerLocal"))
    known = module.endswith((".embeddings", ".retrieve"))
    return by_name or known or inherits(description, "dspy.retrievers.retrieve.Retrieve")


def _written_version(reader: Reader) -> str | None:
    """Return the version in the source, for a DSPy without metadata."""
    found = reader.module("dspy.__metadata__").binding("__version__")
    return str(found[1].value) if found and isinstance(found[1], ast.Constant) else None
