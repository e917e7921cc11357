"""Options, ini keys and markers as data, so that pytest can list them without our core.

`python docs/generate.py` writes the options from the table in `config/_settings.py`.
"""

from typing import NamedTuple

__all__ = ["FORCE", "KEEP", "MARKERS", "OPTIONS", "OUTPUT", "Option"]

# The attribute of each report, and the key of what a worker of xdist sends at its end.
OUTPUT = "dspy_profiles"


class Option(NamedTuple):
    """One setting, with its names on the command line, in the ini file and in the environment."""

    setting: str
    flag: str
    ini: str
    env: str
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()


# generated
OPTIONS: tuple[Option, ...] = (
    Option(
        "default",
        "--dspy-profile",
        "dspy_profile",
        "DSPY_PROFILE",
        "The profile to run tests under; of several, NAME,NAME, each test runs once under each.",
        "NAME",
        (),
    ),
    Option(
        "missing-secrets",
        "--dspy-missing-secrets",
        "dspy_missing_secrets",
        "DSPY_PROFILES_MISSING_SECRETS",
        "What becomes of a test whose profile lacks a secret.",
        None,
        ("fail", "skip"),
    ),
    Option(
        "live",
        "--dspy-live",
        "dspy_live",
        "DSPY_PROFILES_LIVE",
        "Whether tests may call models that are neither mocked, nor replayed, nor cached.",
        None,
        ("allow", "block"),
    ),
    Option(
        "budget",
        "--dspy-budget",
        "dspy_budget",
        "DSPY_PROFILES_BUDGET",
        "What a test run may spend: usd=0.5,tokens=100000,calls=200,prod.calls=20.",
        "KIND=AMOUNT,…",
        (),
    ),
    Option(
        "cassettes",
        "--dspy-cassettes",
        "dspy_cassettes",
        "DSPY_PROFILES_CASSETTES",
        "Whether what models say to tests is recorded (once, new, all) or only replayed (none).",
        None,
        ("off", "none", "once", "new", "all"),
    ),
    Option(
        "cassette-dir",
        "--dspy-cassette-dir",
        "dspy_cassette_dir",
        "DSPY_PROFILES_CASSETTE_DIR",
        "The folder of the cassettes; else cassettes, at the root of the tests.",
        "FOLDER",
        (),
    ),
    Option(
        "store",
        "--dspy-store",
        "dspy_store",
        "DSPY_PROFILES_STORE",
        "Record the test run, each test a trial: file:DIR, sqlite:FILE, postgresql://…",
        "URL",
        (),
    ),
    Option(
        "report",
        "--dspy-report",
        "dspy_report",
        "DSPY_PROFILES_REPORT",
        "The file that a test run writes its usage to, as JSON.",
        "FILE",
        (),
    ),
    Option(
        "isolation",
        "--dspy-isolation",
        "dspy_isolation",
        "DSPY_PROFILES_ISOLATION",
        "Whether each test under a profile starts with DSPy's state as it was before the others.",
        None,
        ("true", "false"),
    ),
)
# /generated

FORCE = Option(
    "force",
    "--dspy-profile-force",
    "dspy_profile_force",
    "DSPY_PROFILE_FORCE",
    "Make every profile that code asks for mean the one of the test.",
)

KEEP = Option(
    "cassettes-keep",
    "--dspy-cassettes-keep",
    "",
    "",
    "Keep what a failed test has recorded.",
)

MARKERS = (
    "dspy_profile(*names, **overrides): the DSPy profile to run under; of several, once under each",
    "dspy_cassette(name=None, mode=None, match=None): replay what models say from a file",
    "dspy_budget(usd=, tokens=, calls=): what may be spent; the call that would pass is not made",
)
