"""Read from its source what the installed DSPy accepts, without importing it.

>>> from dspy_profiles.schema import descriptor
>>> descriptor()["classes"]["dspy.LM"]["parameters"][0]["name"]
'model'
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.schema._cache import cache_folder as cache_folder
    from dspy_profiles.schema._cache import descriptor as descriptor
    from dspy_profiles.schema._check import check as check
    from dspy_profiles.schema._describe import describe_class as describe_class
    from dspy_profiles.schema._findings import Finding as Finding
    from dspy_profiles.schema._json_schema import profiles_schema as profiles_schema
    from dspy_profiles.schema._sections import PASSED_ON as PASSED_ON
    from dspy_profiles.schema._sections import every_key as every_key
    from dspy_profiles.schema._sections import known_keys as known_keys
    from dspy_profiles.schema._values import check_value as check_value
    from dspy_profiles.schema._values import names_role as names_role
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_cache": "cache_folder descriptor",
            "_check": "check",
            "_describe": "describe_class",
            "_findings": "Finding",
            "_json_schema": "profiles_schema",
            "_sections": "PASSED_ON every_key known_keys",
            "_values": "check_value names_role",
        },
    )
