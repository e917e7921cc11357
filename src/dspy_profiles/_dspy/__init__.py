"""DSPy, whichever version: the private names that we use, and what differs between versions.

Using this imports DSPy. Each name has a test that says what breaks without it.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles._dspy._call import REPLAYED as REPLAYED
    from dspy_profiles._dspy._call import Attempt as Attempt
    from dspy_profiles._dspy._call import Call as Call
    from dspy_profiles._dspy._call import Route as Route
    from dspy_profiles._dspy._chunks import chunk_dict as chunk_dict
    from dspy_profiles._dspy._chunks import chunk_from as chunk_from
    from dspy_profiles._dspy._chunks import is_chunk as is_chunk
    from dspy_profiles._dspy._chunks import sends_chunks as sends_chunks
    from dspy_profiles._dspy._names import BaseCallback as BaseCallback
    from dspy_profiles._dspy._names import active_call as active_call
    from dspy_profiles._dspy._names import base_config as base_config
    from dspy_profiles._dspy._names import block_overrides as block_overrides
    from dspy_profiles._dspy._names import history as history
    from dspy_profiles._dspy._names import is_swallowing as is_swallowing
    from dspy_profiles._dspy._names import note_emitted as note_emitted
    from dspy_profiles._dspy._names import own_defaults as own_defaults
    from dspy_profiles._dspy._names import owner as owner
    from dspy_profiles._dspy._names import set_owner as set_owner
    from dspy_profiles._dspy._names import unfit as unfit
    from dspy_profiles._dspy._names import version as version
    from dspy_profiles._dspy._patch import patch as patch
    from dspy_profiles._dspy._plain import body_of as body_of
    from dspy_profiles._dspy._shape import Shape as Shape
    from dspy_profiles._dspy._shape import shape as shape
    from dspy_profiles._dspy._stream import areplay_to_stream as areplay_to_stream
    from dspy_profiles._dspy._stream import reader as reader
    from dspy_profiles._dspy._stream import replay_to_stream as replay_to_stream
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_call": "Attempt Call REPLAYED Route",
            "_chunks": "chunk_dict chunk_from is_chunk sends_chunks",
            "_names": (
                "BaseCallback active_call base_config block_overrides history is_swallowing "
                "note_emitted own_defaults owner set_owner unfit version"
            ),
            "_patch": "patch",
            "_plain": "body_of",
            "_shape": "Shape shape",
            "_stream": "areplay_to_stream reader replay_to_stream",
        },
    )
