"""Secrets: references to them, `.env` files, and masking.

A secret stays a reference until `objects` needs it, and is masked from then on.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.secrets._addresses import has_password as has_password
    from dspy_profiles.secrets._addresses import without_userinfo as without_userinfo
    from dspy_profiles.secrets._dotenv import INVALID_LINE as INVALID_LINE
    from dspy_profiles.secrets._dotenv import Trusts as Trusts
    from dspy_profiles.secrets._dotenv import file_of_variable as file_of_variable
    from dspy_profiles.secrets._dotenv import invalid_lines as invalid_lines
    from dspy_profiles.secrets._dotenv import left_out as left_out
    from dspy_profiles.secrets._dotenv import load_env_files as load_env_files
    from dspy_profiles.secrets._dotenv import names_in_files as names_in_files
    from dspy_profiles.secrets._dotenv import parse_dotenv as parse_dotenv
    from dspy_profiles.secrets._dotenv import remember_environment as remember_environment
    from dspy_profiles.secrets._dotenv import set_variables_once as set_variables_once
    from dspy_profiles.secrets._dotenv import value_in_files as value_in_files
    from dspy_profiles.secrets._dotenv import warn_about_lines as warn_about_lines
    from dspy_profiles.secrets._dotenv import warn_no_more as warn_no_more
    from dspy_profiles.secrets._names import Names as Names
    from dspy_profiles.secrets._paths import expand_user as expand_user
    from dspy_profiles.secrets._redaction import AUTH_SCHEME as AUTH_SCHEME
    from dspy_profiles.secrets._redaction import MASK as MASK
    from dspy_profiles.secrets._redaction import SHORTEST_MASKED as SHORTEST_MASKED
    from dspy_profiles.secrets._redaction import add_redaction_rule as add_redaction_rule
    from dspy_profiles.secrets._redaction import has_redaction_rules as has_redaction_rules
    from dspy_profiles.secrets._redaction import is_plaintext as is_plaintext
    from dspy_profiles.secrets._redaction import nothing_to_redact as nothing_to_redact
    from dspy_profiles.secrets._redaction import redact as redact
    from dspy_profiles.secrets._redaction import redact_shortened as redact_shortened
    from dspy_profiles.secrets._redaction import redacted_error as redacted_error
    from dspy_profiles.secrets._redaction import remember as remember
    from dspy_profiles.secrets._references import BUILT_IN_SCHEMES as BUILT_IN_SCHEMES
    from dspy_profiles.secrets._references import SCHEME as SCHEME
    from dspy_profiles.secrets._references import TEMPLATE as TEMPLATE
    from dspy_profiles.secrets._references import VARIABLE as VARIABLE
    from dspy_profiles.secrets._references import Fetch as Fetch
    from dspy_profiles.secrets._references import Missing as Missing
    from dspy_profiles.secrets._references import Reference as Reference
    from dspy_profiles.secrets._references import Schemes as Schemes
    from dspy_profiles.secrets._references import Secret as Secret
    from dspy_profiles.secrets._references import empty_variable_in as empty_variable_in
    from dspy_profiles.secrets._references import expand_references as expand_references
    from dspy_profiles.secrets._references import filled as filled
    from dspy_profiles.secrets._references import from_environment as from_environment
    from dspy_profiles.secrets._references import from_file as from_file
    from dspy_profiles.secrets._references import has_reference as has_reference
    from dspy_profiles.secrets._references import literal_passwords as literal_passwords
    from dspy_profiles.secrets._references import names_secret as names_secret
    from dspy_profiles.secrets._references import plaintext_in as plaintext_in
    from dspy_profiles.secrets._references import refers_to_password as refers_to_password
    from dspy_profiles.secrets._references import secret_file as secret_file
    from dspy_profiles.secrets._references import secret_variables_in as secret_variables_in
    from dspy_profiles.secrets._references import split_scheme as split_scheme
    from dspy_profiles.secrets._references import variables_in as variables_in
    from dspy_profiles.secrets._steering import is_never_set as is_never_set
    from dspy_profiles.secrets._steering import needs_trust as needs_trust
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_addresses": "has_password without_userinfo",
            "_dotenv": (
                "INVALID_LINE Trusts file_of_variable invalid_lines left_out "
                "load_env_files names_in_files "
                "parse_dotenv remember_environment set_variables_once value_in_files "
                "warn_about_lines warn_no_more"
            ),
            "_names": "Names",
            "_paths": "expand_user",
            "_redaction": (
                "AUTH_SCHEME MASK SHORTEST_MASKED add_redaction_rule has_redaction_rules "
                "is_plaintext nothing_to_redact redact redact_shortened redacted_error remember"
            ),
            "_references": (
                "BUILT_IN_SCHEMES Fetch Missing Reference SCHEME Schemes Secret TEMPLATE VARIABLE "
                "empty_variable_in expand_references filled from_environment from_file "
                "has_reference literal_passwords names_secret plaintext_in refers_to_password "
                "secret_file secret_variables_in split_scheme variables_in"
            ),
            "_steering": "is_never_set needs_trust",
        },
    )
