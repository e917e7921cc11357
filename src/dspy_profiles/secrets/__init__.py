"""Secrets: references to them, `.env` files, and masking.

A secret stays a reference until `objects` needs it, and is masked from then on.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.secrets._dotenv import LEAST as LEAST
    from dspy_profiles.secrets._dotenv import NO_STATEMENT as NO_STATEMENT
    from dspy_profiles.secrets._dotenv import broken_lines as broken_lines
    from dspy_profiles.secrets._dotenv import load_env_files as load_env_files
    from dspy_profiles.secrets._dotenv import names_in as names_in
    from dspy_profiles.secrets._dotenv import parsed as parsed
    from dspy_profiles.secrets._dotenv import remember_secrets as remember_secrets
    from dspy_profiles.secrets._dotenv import set_once as set_once
    from dspy_profiles.secrets._dotenv import tell_broken as tell_broken
    from dspy_profiles.secrets._dotenv import value_in as value_in
    from dspy_profiles.secrets._names import Names as Names
    from dspy_profiles.secrets._paths import expand_user as expand_user
    from dspy_profiles.secrets._redaction import AUTH_SCHEME as AUTH_SCHEME
    from dspy_profiles.secrets._redaction import MASK as MASK
    from dspy_profiles.secrets._redaction import add_rule as add_rule
    from dspy_profiles.secrets._redaction import has_rules as has_rules
    from dspy_profiles.secrets._redaction import is_idle as is_idle
    from dspy_profiles.secrets._redaction import is_plaintext as is_plaintext
    from dspy_profiles.secrets._redaction import redact as redact
    from dspy_profiles.secrets._redaction import redact_shortened as redact_shortened
    from dspy_profiles.secrets._redaction import remember as remember
    from dspy_profiles.secrets._redaction import retold as retold
    from dspy_profiles.secrets._references import BUILT_IN_SCHEMES as BUILT_IN_SCHEMES
    from dspy_profiles.secrets._references import SCHEME as SCHEME
    from dspy_profiles.secrets._references import TEMPLATE as TEMPLATE
    from dspy_profiles.secrets._references import VARIABLE as VARIABLE
    from dspy_profiles.secrets._references import Fetch as Fetch
    from dspy_profiles.secrets._references import Missing as Missing
    from dspy_profiles.secrets._references import Reference as Reference
    from dspy_profiles.secrets._references import Schemes as Schemes
    from dspy_profiles.secrets._references import Secret as Secret
    from dspy_profiles.secrets._references import empty_variable as empty_variable
    from dspy_profiles.secrets._references import expand as expand
    from dspy_profiles.secrets._references import from_environment as from_environment
    from dspy_profiles.secrets._references import from_file as from_file
    from dspy_profiles.secrets._references import has_reference as has_reference
    from dspy_profiles.secrets._references import leads_to_secret as leads_to_secret
    from dspy_profiles.secrets._references import plaintext_in as plaintext_in
    from dspy_profiles.secrets._references import secret_file as secret_file
    from dspy_profiles.secrets._references import split_scheme as split_scheme
    from dspy_profiles.secrets._references import variables_in as variables_in
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_dotenv": (
                "LEAST NO_STATEMENT broken_lines load_env_files names_in parsed remember_secrets "
                "set_once tell_broken value_in"
            ),
            "_names": "Names",
            "_paths": "expand_user",
            "_redaction": (
                "AUTH_SCHEME MASK add_rule has_rules is_idle is_plaintext redact redact_shortened "
                "remember retold"
            ),
            "_references": (
                "BUILT_IN_SCHEMES Fetch Missing Reference SCHEME Schemes Secret TEMPLATE VARIABLE "
                "empty_variable expand from_environment from_file has_reference leads_to_secret "
                "plaintext_in secret_file split_scheme variables_in"
            ),
        },
    )
