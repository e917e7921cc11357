"""From a name to one `ResolvedProfile`. Never imports DSPy."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.profiles._assignments import assignment as assignment
    from dspy_profiles.profiles._assignments import nested as nested
    from dspy_profiles.profiles._assignments import typed as typed
    from dspy_profiles.profiles._catalog import BUILT_IN as BUILT_IN
    from dspy_profiles.profiles._catalog import DEEPEST as DEEPEST
    from dspy_profiles.profiles._catalog import Catalog as Catalog
    from dspy_profiles.profiles._catalog import Definition as Definition
    from dspy_profiles.profiles._catalog import Leaf as Leaf
    from dspy_profiles.profiles._catalog import Node as Node
    from dspy_profiles.profiles._catalog import merge as merge
    from dspy_profiles.profiles._catalog import sections as sections
    from dspy_profiles.profiles._fetch import UNSET as UNSET
    from dspy_profiles.profiles._fetch import Fetched as Fetched
    from dspy_profiles.profiles._fetch import fetch as fetch
    from dspy_profiles.profiles._fetch import missing as missing
    from dspy_profiles.profiles._fetch import references as references
    from dspy_profiles.profiles._fetch import refuse_missing as refuse_missing
    from dspy_profiles.profiles._fetch import secret_files as secret_files
    from dspy_profiles.profiles._fetch import set_variables as set_variables
    from dspy_profiles.profiles._freeze import Freezer as Freezer
    from dspy_profiles.profiles._profile import ACTIVE as ACTIVE
    from dspy_profiles.profiles._profile import OVERRIDE as OVERRIDE
    from dspy_profiles.profiles._profile import Origin as Origin
    from dspy_profiles.profiles._profile import ResolvedProfile as ResolvedProfile
    from dspy_profiles.profiles._profile import Source as Source
    from dspy_profiles.profiles._profile import Table as Table
    from dspy_profiles.profiles._profile import leaves as leaves
    from dspy_profiles.profiles._resolve import FORCE_VARIABLE as FORCE_VARIABLE
    from dspy_profiles.profiles._resolve import NAME_VARIABLE as NAME_VARIABLE
    from dspy_profiles.profiles._resolve import Choice as Choice
    from dspy_profiles.profiles._resolve import Overrides as Overrides
    from dspy_profiles.profiles._resolve import Scene as Scene
    from dspy_profiles.profiles._resolve import check_name as check_name
    from dspy_profiles.profiles._resolve import check_overrides as check_overrides
    from dspy_profiles.profiles._resolve import choose as choose
    from dspy_profiles.profiles._resolve import is_forced as is_forced
    from dspy_profiles.profiles._resolve import is_offline as is_offline
    from dspy_profiles.profiles._resolve import list_profiles as list_profiles
    from dspy_profiles.profiles._resolve import overridden as overridden
    from dspy_profiles.profiles._resolve import resolve as resolve
    from dspy_profiles.profiles._resolve import resolve_choice as resolve_choice
    from dspy_profiles.profiles._sections import CLIENT_KEYS as CLIENT_KEYS
    from dspy_profiles.profiles._sections import SECTIONS as SECTIONS
    from dspy_profiles.profiles._sections import SectionShape as SectionShape
    from dspy_profiles.profiles._sections import check_shape as check_shape
    from dspy_profiles.profiles._summary import PLAINTEXT as PLAINTEXT
    from dspy_profiles.profiles._summary import Row as Row
    from dspy_profiles.profiles._summary import applying as applying
    from dspy_profiles.profiles._summary import rows_of as rows_of
    from dspy_profiles.profiles._summary import summary as summary
    from dspy_profiles.profiles._summary import why as why
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_assignments": "assignment nested typed",
            "_catalog": "BUILT_IN Catalog DEEPEST Definition Leaf Node merge sections",
            "_fetch": (
                "Fetched UNSET fetch missing references refuse_missing secret_files set_variables"
            ),
            "_freeze": "Freezer",
            "_profile": "ACTIVE OVERRIDE Origin ResolvedProfile Source Table leaves",
            "_resolve": (
                "Choice FORCE_VARIABLE NAME_VARIABLE Overrides Scene check_name check_overrides "
                "choose is_forced is_offline list_profiles overridden resolve resolve_choice"
            ),
            "_sections": "CLIENT_KEYS SECTIONS SectionShape check_shape",
            "_summary": "PLAINTEXT Row applying rows_of summary why",
        },
    )
