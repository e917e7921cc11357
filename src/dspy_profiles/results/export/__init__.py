"""Export experiments: bundles, CSV, examples."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results.export._bundle import export_bundle as export_bundle
    from dspy_profiles.results.export._bundle import import_bundle as import_bundle
    from dspy_profiles.results.export._csv import as_csv as as_csv
    from dspy_profiles.results.export._examples import extract as extract
    from dspy_profiles.results.export._where import parse_where as parse_where
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_bundle": "export_bundle import_bundle",
            "_csv": "as_csv",
            "_examples": "extract",
            "_where": "parse_where",
        },
    )
