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
        "Run the tests under this profile; with NAME,NAME, once under each.",
        "NAME",
        (),
    ),
    Option(
        "missing-secrets",
        "--dspy-missing-secrets",
        "dspy_missing_secrets",
        "DSPY_PROFILES_MISSING_SECRETS",
        "Whether a test fails or is skipped if a secret is missing.",
        None,
        ("fail", "skip"),
    ),
    Option(
        "live",
        "--dspy-live",
        "dspy_live",
        "DSPY_PROFILES_LIVE",
        "Whether tests may make live calls.",
        None,
        ("allow", "block"),
    ),
    Option(
        "budget",
        "--dspy-budget",
        "dspy_budget",
        "DSPY_PROFILES_BUDGET",
        "Limits of a test run: usd=0.5,tokens=100000,calls=200,prod.calls=20.",
        "KIND=AMOUNT,…",
        (),
    ),
    Option(
        "cassettes",
        "--dspy-cassettes",
        "dspy_cassettes",
        "DSPY_PROFILES_CASSETTES",
        "Record responses (once, new, all) or only replay them (none).",
        None,
        ("off", "none", "once", "new", "all"),
    ),
    Option(
        "cassette-dir",
        "--dspy-cassette-dir",
        "dspy_cassette_dir",
        "DSPY_PROFILES_CASSETTE_DIR",
        "Folder of the cassettes. Default: cassettes, in the root of the tests.",
        "FOLDER",
        (),
    ),
    Option(
        "store",
        "--dspy-store",
        "dspy_store",
        "DSPY_PROFILES_STORE",
        "Record the tests as an experiment in file:DIR, sqlite:FILE, postgresql://…",
        "URL",
        (),
    ),
    Option(
        "report",
        "--dspy-report",
        "dspy_report",
        "DSPY_PROFILES_REPORT",
        "Write the usage of a test run to this JSON file.",
        "FILE",
        (),
    ),
    Option(
        "isolation",
        "--dspy-isolation",
        "dspy_isolation",
        "DSPY_PROFILES_ISOLATION",
        "Whether each test under a profile starts with the initial state of DSPy.",
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
    "Use the profile of the test even if code names another one.",
)

KEEP = Option(
    "cassettes-keep",
    "--dspy-cassettes-keep",
    "",
    "",
    "Save the responses that a failed test has recorded.",
)

MARKERS = (
    "dspy_profile(*names, **overrides): run under a DSPy profile, or once under each of several",
    "dspy_cassette(name=None, mode=None, match=None): replay responses of models from a file",
    "dspy_budget(usd=, tokens=, calls=): limit the test; a call above a limit is blocked",
)
