"""Resolve a name to a `ResolvedProfile`, without importing DSPy."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.profiles._assignments import parse_assignment as parse_assignment
    from dspy_profiles.profiles._assignments import parse_assignments as parse_assignments
    from dspy_profiles.profiles._assignments import parse_value as parse_value
    from dspy_profiles.profiles._catalog import BUILT_IN_PROFILES as BUILT_IN_PROFILES
    from dspy_profiles.profiles._catalog import MAX_DEPTH as MAX_DEPTH
    from dspy_profiles.profiles._catalog import Catalog as Catalog
    from dspy_profiles.profiles._catalog import Definition as Definition
    from dspy_profiles.profiles._catalog import Leaf as Leaf
    from dspy_profiles.profiles._catalog import Node as Node
    from dspy_profiles.profiles._catalog import merge as merge
    from dspy_profiles.profiles._catalog import sections as sections
    from dspy_profiles.profiles._fetch import UNSET_REASONS as UNSET_REASONS
    from dspy_profiles.profiles._fetch import Fetched as Fetched
    from dspy_profiles.profiles._fetch import check_references as check_references
    from dspy_profiles.profiles._fetch import fetch as fetch
    from dspy_profiles.profiles._fetch import missing as missing
    from dspy_profiles.profiles._fetch import own_variables as own_variables
    from dspy_profiles.profiles._fetch import references as references
    from dspy_profiles.profiles._fetch import secret_files as secret_files
    from dspy_profiles.profiles._fetch import set_variables as set_variables
    from dspy_profiles.profiles._freeze import NEXT_RELEASE as NEXT_RELEASE
    from dspy_profiles.profiles._freeze import Freezer as Freezer
    from dspy_profiles.profiles._freeze import tolerated_plaintext as tolerated_plaintext
    from dspy_profiles.profiles._profile import ACTIVE as ACTIVE
    from dspy_profiles.profiles._profile import OVERRIDE_LAYER as OVERRIDE_LAYER
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
    from dspy_profiles.profiles._resolve import override as override
    from dspy_profiles.profiles._resolve import resolve as resolve
    from dspy_profiles.profiles._resolve import resolve_choice as resolve_choice
    from dspy_profiles.profiles._sections import CLIENT_KEYS as CLIENT_KEYS
    from dspy_profiles.profiles._sections import SECTIONS as SECTIONS
    from dspy_profiles.profiles._sections import SectionShape as SectionShape
    from dspy_profiles.profiles._sections import check_shape as check_shape
    from dspy_profiles.profiles._shadow import report_shadow as report_shadow
    from dspy_profiles.profiles._summary import PLAINTEXT as PLAINTEXT
    from dspy_profiles.profiles._summary import UNTRUSTED as UNTRUSTED
    from dspy_profiles.profiles._summary import Row as Row
    from dspy_profiles.profiles._summary import active_choice as active_choice
    from dspy_profiles.profiles._summary import profile_rows as profile_rows
    from dspy_profiles.profiles._summary import short_reason as short_reason
    from dspy_profiles.profiles._summary import summary as summary
    from dspy_profiles.profiles._wants import acts_in as acts_in
    from dspy_profiles.profiles._wants import demand_for as demand_for
    from dspy_profiles.profiles._wants import demand_trust as demand_trust
    from dspy_profiles.profiles._wants import wants as wants
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_assignments": "parse_assignment parse_assignments parse_value",
            "_catalog": "BUILT_IN_PROFILES Catalog Definition Leaf MAX_DEPTH Node merge sections",
            "_fetch": (
                "Fetched UNSET_REASONS check_references fetch missing own_variables references "
                "secret_files set_variables"
            ),
            "_freeze": "NEXT_RELEASE Freezer tolerated_plaintext",
            "_profile": "ACTIVE OVERRIDE_LAYER Origin ResolvedProfile Source Table leaves",
            "_resolve": (
                "Choice FORCE_VARIABLE NAME_VARIABLE Overrides Scene check_name check_overrides "
                "choose is_forced is_offline list_profiles override resolve resolve_choice"
            ),
            "_sections": "CLIENT_KEYS SECTIONS SectionShape check_shape",
            "_shadow": "report_shadow",
            "_summary": "PLAINTEXT Row UNTRUSTED active_choice profile_rows short_reason summary",
            "_wants": "acts_in demand_for demand_trust wants",
        },
    )
