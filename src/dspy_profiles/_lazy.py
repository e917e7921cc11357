"""Public faces whose names are loaded when they are first used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["attach"]


def attach(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    `modules` says which names each module below the package provides; one that begins with "/" is
    the full name of a module elsewhere.
    """
    homes = {name: module for module, names in modules.items() for name in names.split()}
    public = sorted(homes)

    def load(name: str) -> object:
        module = homes.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        path = module[1:] if module.startswith("/") else f"{package}.{module}"
        value: object = getattr(import_module(path), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, public.copy, public
