"""Which `.env` files count, and what they may set."""

from pathlib import Path

from dspy_profiles.config._locations import Locations, is_inside, locate
from dspy_profiles.config._settings import Settings
from dspy_profiles.config._trust import YOURS, trusts
from dspy_profiles.secrets import load_env_files

__all__ = ["env_files", "is_in_project", "load_env"]

SETTING = "env-file"


def env_files(locations: Locations, settings: Settings) -> tuple[Path, ...]:
    """Return the `.env` files; the first that has a name wins.

    A file of the project does not make us read one outside of it before it is trusted.
    """
    setting = settings.values[SETTING]
    if not settings.is_given(SETTING):
        return tuple(file for file in locations.env_files if _may_read(file, locations, file))
    return tuple(
        file for file in settings.paths(SETTING) if _may_read(file, locations, setting.file)
    )


def _may_read(file: Path, locations: Locations, named_in: Path | None) -> bool:
    own = locations.env_files[-1]
    return (
        named_in is None or file == own or is_inside(file, locations.checkout) or trusts(named_in)
    )


def load_env(locations: Locations, settings: Settings, held: list[str] | None = None) -> None:
    """Set the variables of the `.env` files in this process, as far as each file may.

    `held` gets those that another process will ask for, without a warning.
    """
    is_given = settings.is_given(SETTING)
    named_by_you = is_given and settings.values[SETTING].layer in YOURS

    def may_set(file: Path) -> bool:
        return named_by_you or trusts(file)  # the last one is the user's own

    load_env_files(env_files(locations, settings), may_set, held)


def is_in_project(path: Path, file: Path) -> bool:
    """Return whether a path belongs to the same project as a configuration file."""
    locations = locate()
    is_of_checkout = is_inside(file, locations.checkout)
    return is_inside(path, locations.checkout if is_of_checkout else file.parent)
