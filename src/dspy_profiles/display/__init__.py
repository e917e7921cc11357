"""Show amounts, values, places, columns and untrusted text."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.display._amounts import NOTHING as NOTHING
    from dspy_profiles.display._amounts import clock as clock
    from dspy_profiles.display._amounts import count as count
    from dspy_profiles.display._amounts import counted as counted
    from dspy_profiles.display._amounts import duration as duration
    from dspy_profiles.display._amounts import exact as exact
    from dspy_profiles.display._amounts import money as money
    from dspy_profiles.display._amounts import number as number
    from dspy_profiles.display._columns import ACCENT as ACCENT
    from dspy_profiles.display._columns import ALARM as ALARM
    from dspy_profiles.display._columns import MUTED as MUTED
    from dspy_profiles.display._columns import Column as Column
    from dspy_profiles.display._columns import as_text as as_text
    from dspy_profiles.display._columns import columns as columns
    from dspy_profiles.display._columns import cut as cut
    from dspy_profiles.display._columns import folded_columns as folded_columns
    from dspy_profiles.display._columns import joined as joined
    from dspy_profiles.display._columns import plain_rows as plain_rows
    from dspy_profiles.display._columns import styled as styled
    from dspy_profiles.display._readable import brief as brief
    from dspy_profiles.display._readable import readable as readable
    from dspy_profiles.display._values import on_path as on_path
    from dspy_profiles.display._values import show_place as show_place
    from dspy_profiles.display._values import show_value as show_value
    from dspy_profiles.display._values import word as word
    from dspy_profiles.display._visible import CUT as CUT
    from dspy_profiles.display._visible import is_plain_word as is_plain_word
    from dspy_profiles.display._visible import on_one_line as on_one_line
    from dspy_profiles.display._visible import plain_words as plain_words
    from dspy_profiles.display._visible import visible as visible
    from dspy_profiles.display._word_diff import SPACELESS as SPACELESS
    from dspy_profiles.display._word_diff import Piece as Piece
    from dspy_profiles.display._word_diff import word_diff as word_diff
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_amounts": "NOTHING clock count counted duration exact money number",
            "_columns": (
                "ACCENT ALARM Column MUTED as_text columns cut folded_columns joined plain_rows "
                "styled"
            ),
            "_readable": "brief readable",
            "_values": "on_path show_place show_value word",
            "_visible": "CUT is_plain_word on_one_line plain_words visible",
            "_word_diff": "Piece SPACELESS word_diff",
        },
    )
