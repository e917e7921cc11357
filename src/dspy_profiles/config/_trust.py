"""The one place that decides what a layer of configuration may make this process do unasked."""

from typing import Literal

__all__ = ["Action", "may"]

# "send": give a secret of the user's environment to an address. The others run code of somebody
# else: a module, a program, a server, a file outside of the project.
Action = Literal["import", "start", "connect", "read", "write", "send"]

YOURS = frozenset({"user"})  # layers that only you write
ASKED_ABOUT: frozenset[Action] = frozenset({"send"})


def may(action: Action, layer: str) -> bool:
    """Return whether a value of this layer may lead to this action without a question.

    A secret is sent only where your own file says so. A project's file may cause everything else,
    as its code may.
    """
    return action not in ASKED_ABOUT or layer in YOURS
