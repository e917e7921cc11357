"""Making a profile DSPy's current settings: for a block, for a session, or by configuring.

The only room that touches `dspy.settings`.
"""

from dspy_profiles.activation.block import current_profile, profile
from dspy_profiles.activation.configuring import Configured, configure
from dspy_profiles.activation.decorating import bind, with_profile
from dspy_profiles.activation.objects import embedder, lm

__all__ = [
    "Configured",
    "bind",
    "configure",
    "current_profile",
    "embedder",
    "lm",
    "profile",
    "with_profile",
]
