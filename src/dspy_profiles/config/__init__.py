"""Configuration files: which ones count, what they contain, and how one key of them is changed.

Profiles files and dspy-profiles settings alike.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.config._acting_files import acting_files as acting_files
    from dspy_profiles.config._acting_files import untrusted_files as untrusted_files
    from dspy_profiles.config._acts import Action as Action
    from dspy_profiles.config._acts import action_of as action_of
    from dspy_profiles.config._acts import acts as acts
    from dspy_profiles.config._acts import deeds_in as deeds_in
    from dspy_profiles.config._acts import shown as shown
    from dspy_profiles.config._budgets import Budgets as Budgets
    from dspy_profiles.config._budgets import Limits as Limits
    from dspy_profiles.config._document import RACY_NS as RACY_NS
    from dspy_profiles.config._document import Document as Document
    from dspy_profiles.config._document import Stamp as Stamp
    from dspy_profiles.config._document import file_stamp as file_stamp
    from dspy_profiles.config._document import read_toml as read_toml
    from dspy_profiles.config._document import read_unparsed as read_unparsed
    from dspy_profiles.config._edit import Edit as Edit
    from dspy_profiles.config._edit import change_file as change_file
    from dspy_profiles.config._edit import editing as editing
    from dspy_profiles.config._env_files import env_files as env_files
    from dspy_profiles.config._env_files import is_in_project as is_in_project
    from dspy_profiles.config._env_files import load_env as load_env
    from dspy_profiles.config._keys import KeyPath as KeyPath
    from dspy_profiles.config._keys import join_key as join_key
    from dspy_profiles.config._keys import split_key as split_key
    from dspy_profiles.config._keys import touches as touches
    from dspy_profiles.config._locations import LOCATION_VARIABLES as LOCATION_VARIABLES
    from dspy_profiles.config._locations import PATH_VARIABLE as PATH_VARIABLE
    from dspy_profiles.config._locations import PROFILES_FILE as PROFILES_FILE
    from dspy_profiles.config._locations import SESSION_VARIABLE as SESSION_VARIABLE
    from dspy_profiles.config._locations import Layer as Layer
    from dspy_profiles.config._locations import Locations as Locations
    from dspy_profiles.config._locations import are_locations_pinned as are_locations_pinned
    from dspy_profiles.config._locations import find_locations as find_locations
    from dspy_profiles.config._locations import is_inside as is_inside
    from dspy_profiles.config._locations import locate as locate
    from dspy_profiles.config._locations import pin_locations as pin_locations
    from dspy_profiles.config._locations import unpin_locations as unpin_locations
    from dspy_profiles.config._lock import locked as locked
    from dspy_profiles.config._running import unasked as unasked
    from dspy_profiles.config._running import vouch_for as vouch_for
    from dspy_profiles.config._running import vouch_for_code as vouch_for_code
    from dspy_profiles.config._settings import SETTINGS_TABLE as SETTINGS_TABLE
    from dspy_profiles.config._settings import Settings as Settings
    from dspy_profiles.config._settings import SettingValue as SettingValue
    from dspy_profiles.config._settings import load_settings as load_settings
    from dspy_profiles.config._settings import setting_from_text as setting_from_text
    from dspy_profiles.config._settings import settings_from_table as settings_from_table
    from dspy_profiles.config._settings import settings_home as settings_home
    from dspy_profiles.config._settings_table import SETTINGS as SETTINGS
    from dspy_profiles.config._settings_table import SETTINGS_BY_NAME as SETTINGS_BY_NAME
    from dspy_profiles.config._settings_table import Setting as Setting
    from dspy_profiles.config._toml import Statement as Statement
    from dspy_profiles.config._toml import comment_start as comment_start
    from dspy_profiles.config._toml import inline_statements as inline_statements
    from dspy_profiles.config._toml import statement_lines as statement_lines
    from dspy_profiles.config._toml import statements as statements
    from dspy_profiles.config._toml_edit import rename_in_text as rename_in_text
    from dspy_profiles.config._trust import Want as Want
    from dspy_profiles.config._trust import demand as demand
    from dspy_profiles.config._trust import may as may
    from dspy_profiles.config._trust import read_of_project as read_of_project
    from dspy_profiles.config._trust import trusts as trusts
    from dspy_profiles.config._trusted_files import TRUSTED as TRUSTED
    from dspy_profiles.config._write import replace_file as replace_file
    from dspy_profiles.config._write import write_atomically as write_atomically
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_acting_files": "acting_files untrusted_files",
            "_acts": "Action action_of acts deeds_in shown",
            "_budgets": "Budgets Limits",
            "_document": "Document RACY_NS Stamp file_stamp read_toml read_unparsed",
            "_edit": "Edit change_file editing",
            "_env_files": "env_files is_in_project load_env",
            "_keys": "KeyPath join_key split_key touches",
            "_locations": (
                "LOCATION_VARIABLES Layer Locations PATH_VARIABLE PROFILES_FILE SESSION_VARIABLE "
                "are_locations_pinned find_locations is_inside locate pin_locations "
                "unpin_locations"
            ),
            "_lock": "locked",
            "_running": "unasked vouch_for vouch_for_code",
            "_settings": (
                "SETTINGS_TABLE SettingValue Settings load_settings "
                "setting_from_text settings_from_table settings_home"
            ),
            "_settings_table": "SETTINGS SETTINGS_BY_NAME Setting",
            "_toml": "Statement comment_start inline_statements statement_lines statements",
            "_toml_edit": "rename_in_text",
            "_trust": "Want demand may read_of_project trusts",
            "_trusted_files": "TRUSTED",
            "_write": "replace_file write_atomically",
        },
    )
