"""From a `ResolvedProfile` to live DSPy objects.

The only package that unwraps secrets and that makes objects of DSPy.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.objects._build import Built as Built
    from dspy_profiles.objects._build import build as build
    from dspy_profiles.objects._build import build_embedder as build_embedder
    from dspy_profiles.objects._build import build_lm as build_lm
    from dspy_profiles.objects._build import is_built_for as is_built_for
    from dspy_profiles.objects._build import kept_lms as kept_lms
    from dspy_profiles.objects._build import provider_of as provider_of
    from dspy_profiles.objects._build import start_engines_afresh as start_engines_afresh
    from dspy_profiles.objects._content import Content as Content
    from dspy_profiles.objects._content import content as content
    from dspy_profiles.objects._imports import import_path as import_path
    from dspy_profiles.objects._imports import make_importable as make_importable
    from dspy_profiles.objects._providers import ProfileProvider as ProfileProvider
    from dspy_profiles.objects._providers import Provider as Provider
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_build": (
                "Built build build_embedder build_lm is_built_for kept_lms provider_of "
                "start_engines_afresh"
            ),
            "_content": "Content content",
            "_imports": "import_path make_importable",
            "_providers": "ProfileProvider Provider",
        },
    )
