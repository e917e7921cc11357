"""The table of settings: each name is defined here once, for files, variables and flags."""

from dataclasses import dataclass

from dspy_profiles.errors import did_you_mean

__all__ = ["SETTINGS", "SETTINGS_BY_NAME", "Setting", "Value", "meant_by"]

Value = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Setting:
    """A setting, with its spelling in each place that can set it."""

    name: str
    help: str
    many: bool = False  # a list of strings; one string is a list of one
    choices: tuple[str, ...] = ()  # the only values; the first is the default
    metavar: str = "TEXT"  # the value in help pages
    pytest_help: str = ""  # if it means more in pytest
    in_pytest: bool = True  # whether pytest has this option
    env: str = ""
    flag: str = ""
    pytest_flag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", self.env or f"DSPY_PROFILES_{self._snake.upper()}")
        object.__setattr__(self, "flag", self.flag or f"--{self.name}")
        object.__setattr__(self, "pytest_flag", self.pytest_flag or f"--dspy-{self.name}")

    @property
    def ini(self) -> str:
        """The key in pytest's configuration."""
        return self.pytest_flag.removeprefix("--").replace("-", "_")

    @property
    def default(self) -> Value:
        if self.choices:
            return self.choices[0]
        return () if self.many else None

    @property
    def _snake(self) -> str:
        return self.name.replace("-", "_")


SETTINGS = (
    Setting(
        "default",
        "The default profile.",
        metavar="NAME",
        pytest_help="Run the tests under this profile; with NAME,NAME, once under each.",
        env="DSPY_PROFILE",
        flag="--profile",
        pytest_flag="--dspy-profile",
    ),
    Setting(
        "env-file",
        "The .env files to read instead of the default ones.",
        many=True,
        in_pytest=False,
    ),
    Setting(
        "secret-keys",
        "More keys whose values are secrets; * matches any text.",
        many=True,
        in_pytest=False,
    ),
    Setting("not-secret", "Keys that look like secrets but are not.", many=True, in_pytest=False),
    Setting(
        "missing-secrets",
        "Whether a test fails or is skipped if a secret is missing.",
        choices=("fail", "skip"),
    ),
    Setting(
        "live",
        "Whether tests may make live calls.",
        choices=("allow", "block"),
    ),
    Setting(
        "budget",
        "Limits of a test run: usd=0.5,tokens=100000,calls=200,prod.calls=20.",
        metavar="KIND=AMOUNT,…",
    ),
    Setting(
        "cassettes",
        "Record responses (once, new, all) or only replay them (none).",
        choices=("off", "none", "once", "new", "all"),
    ),
    Setting(
        "cassette-dir",
        "Folder of the cassettes. Default: cassettes, in the root of the tests.",
        metavar="FOLDER",
    ),
    Setting(
        "store",
        "Store of experiments: file:DIR, sqlite:FILE, postgresql://…. Default: file:.dspy/results.",
        metavar="URL",
        pytest_help="Record the tests as an experiment in file:DIR, sqlite:FILE, postgresql://…",
    ),
    Setting("report", "Write the usage of a test run to this JSON file.", metavar="FILE"),
    Setting(
        "isolation",
        "Whether each test under a profile starts with the initial state of DSPy.",
        choices=("true", "false"),
    ),
)
SETTINGS_BY_NAME = {setting.name: setting for setting in SETTINGS}


def meant_by(name: str) -> str:
    """Return a hint for an unknown setting: a similar name, or the names of all."""
    spelled = name.lstrip("-").replace("-", "_").lower()
    for setting in SETTINGS:
        if spelled in (setting.flag.lstrip("-"), setting.ini, setting.env.lower()):
            return f'did you mean "{setting.name}"?'
    return did_you_mean(name, SETTINGS_BY_NAME) or f"settings: {', '.join(SETTINGS_BY_NAME)}"
