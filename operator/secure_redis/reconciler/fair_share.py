"""Decides how many of a number of places one namespace may take, so that some stay free for the others."""

from typing import Final

# A namespace gets another place while it has fewer than so many times the places that would stay free. Of 16 places
# one namespace then gets 12, two get 6 or 7 each, three get 4 each. Some stay free for a namespace that has none.
_SHARE: Final = 3


def may_take(taken: int, free: int) -> bool:
    """Whether a namespace that has taken so many places may have another one. `free`: places that no namespace has."""
    return free > 0 and (taken == 0 or taken < _SHARE * (free - 1))
