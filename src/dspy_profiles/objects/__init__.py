"""Build DSPy objects from a `ResolvedProfile`.

Only this package unwraps secrets and creates objects of DSPy.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.objects._build import Built as Built
    from dspy_profiles.objects._build import build as build
    from dspy_profiles.objects._build import build_embedder as build_embedder
    from dspy_profiles.objects._build import build_lm as build_lm
    from dspy_profiles.objects._build import cached_lms as cached_lms
    from dspy_profiles.objects._build import is_built_for as is_built_for
    from dspy_profiles.objects._build import provider_of as provider_of
    from dspy_profiles.objects._build import reset_engines as reset_engines
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
                "Built build build_embedder build_lm cached_lms is_built_for provider_of "
                "reset_engines"
            ),
            "_content": "Content content",
            "_imports": "import_path make_importable",
            "_providers": "ProfileProvider Provider",
        },
    )
