"""What the installed DSPy accepts, read from its source and never imported.

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
    from dspy_profiles.schema._describe import describe as describe
    from dspy_profiles.schema._describe import describe_class as describe_class
    from dspy_profiles.schema._diff import Change as Change
    from dspy_profiles.schema._diff import breaks as breaks
    from dspy_profiles.schema._diff import describe_diff as describe_diff
    from dspy_profiles.schema._findings import Finding as Finding
    from dspy_profiles.schema._json_schema import profiles_schema as profiles_schema
    from dspy_profiles.schema._json_schema import settings_schema as settings_schema
    from dspy_profiles.schema._sections import PASSED_ON as PASSED_ON
    from dspy_profiles.schema._sections import every_key as every_key
    from dspy_profiles.schema._sections import known_keys as known_keys
    from dspy_profiles.schema._values import check_value as check_value
    from dspy_profiles.schema._values import names_role as names_role
    from dspy_profiles.schema.reader._stamps import SCHEMA_VERSION as SCHEMA_VERSION
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_cache": "cache_folder descriptor",
            "_check": "check",
            "_describe": "describe describe_class",
            "_diff": "Change breaks describe_diff",
            "_findings": "Finding",
            "_json_schema": "profiles_schema settings_schema",
            "_sections": "PASSED_ON every_key known_keys",
            "_values": "check_value names_role",
            "reader._stamps": "SCHEMA_VERSION",
        },
    )
