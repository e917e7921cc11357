"""What DSPy and the classes that a profile names accept, read from their source, never imported.

>>> from dspy_profiles.dspy_api import descriptor
>>> descriptor()["classes"]["dspy.LM"]["parameters"][0]["name"]
'model'
"""

from dspy_profiles.dspy_api._cache import cache_folder, descriptor
from dspy_profiles.dspy_api._stamps import SCHEMA_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:  # each is loaded when it is first asked for: a cached read needs none of them
    from dspy_profiles.dspy_api._check import check
    from dspy_profiles.dspy_api._describe import describe, describe_class
    from dspy_profiles.dspy_api._diff import Change, breaks, describe_diff
    from dspy_profiles.dspy_api._findings import Finding
    from dspy_profiles.dspy_api._schema import profiles_schema, settings_schema
    from dspy_profiles.dspy_api._sections import PASSED_ON, every_key, known_keys
    from dspy_profiles.dspy_api._values import check_value, names_role

__all__ = [
    "PASSED_ON",
    "SCHEMA_VERSION",
    "Change",
    "Finding",
    "breaks",
    "cache_folder",
    "check",
    "check_value",
    "describe",
    "describe_class",
    "describe_diff",
    "descriptor",
    "every_key",
    "known_keys",
    "names_role",
    "profiles_schema",
    "settings_schema",
]

_ROOMS = {
    "PASSED_ON": "_sections",
    "Change": "_diff",
    "Finding": "_findings",
    "breaks": "_diff",
    "check": "_check",
    "check_value": "_values",
    "describe": "_describe",
    "describe_class": "_describe",
    "describe_diff": "_diff",
    "every_key": "_sections",
    "known_keys": "_sections",
    "names_role": "_values",
    "profiles_schema": "_schema",
    "settings_schema": "_schema",
}


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value
