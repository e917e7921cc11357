"""Make a profile DSPy's current settings: for a block, a function, a session.

The only package that touches `dspy.settings`.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.activation._block import current_profile as current_profile
    from dspy_profiles.activation._block import profile as profile
    from dspy_profiles.activation._cache import CACHE as CACHE
    from dspy_profiles.activation._configure import Configured as Configured
    from dspy_profiles.activation._configure import configure as configure
    from dspy_profiles.activation._decorator import bind as bind
    from dspy_profiles.activation._decorator import with_profile as with_profile
    from dspy_profiles.activation._isolation import Configuration as Configuration
    from dspy_profiles.activation._isolation import Isolation as Isolation
    from dspy_profiles.activation._lm import embedder as embedder
    from dspy_profiles.activation._lm import lm as lm
    from dspy_profiles.activation._overlay import CallbackOverlay as CallbackOverlay
    from dspy_profiles.activation._prepare import LOCAL_PRICES as LOCAL_PRICES
    from dspy_profiles.activation._prepare import NO_CALLS as NO_CALLS
    from dspy_profiles.activation._prepare import Prepared as Prepared
    from dspy_profiles.activation._prepare import findings as findings
    from dspy_profiles.activation._prepare import prepare as prepare
    from dspy_profiles.activation._session import Pin as Pin
    from dspy_profiles.activation._session import add_listener as add_listener
    from dspy_profiles.activation._session import innermost_pin as innermost_pin
    from dspy_profiles.activation._session import pin_session as pin_session
    from dspy_profiles.activation._session import remove_listener as remove_listener
    from dspy_profiles.activation._stages import set_process_stages as set_process_stages
    from dspy_profiles.activation._stages import stages_for_block as stages_for_block
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_block": "current_profile profile",
            "_overlay": "CallbackOverlay",
            "_configure": "Configured configure",
            "_decorator": "bind with_profile",
            "_isolation": "Configuration Isolation",
            "_lm": "embedder lm",
            "_cache": "CACHE",
            "_prepare": "LOCAL_PRICES NO_CALLS Prepared findings prepare",
            "_session": "Pin add_listener innermost_pin pin_session remove_listener",
            "_stages": "set_process_stages stages_for_block",
        },
    )
