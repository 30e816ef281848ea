"""Things by name, as in a menu: who asks for a name that is not there is told which ones are near."""

from collections.abc import Hashable
from typing import Any, TypeVar

Thing = TypeVar("Thing")
MOST, LEAST = 3, 3  # names that are like it, at most, and letters of a word that is looked for, at least
LISTED = 12  # names that are told where none is like it


class Menu(dict[str, Thing]):
    """Things by name; a name that is not there raises KeyError, with the names that are like it."""

    def __missing__(self, name: Hashable) -> Any:
        from difflib import get_close_matches  # which only a wrong name needs

        plain = {_plain(each): each for each in self}
        words = {word for word in _plain(name).split() if len(word) >= LEAST}
        alike = get_close_matches(_plain(name), plain, MOST) or [each for each in plain if words & {*each.split()}]
        some = [plain[each] for each in alike[:MOST]]
        if some:
            raise KeyError(f"there is no {name!r}; like it: {', '.join(map(repr, some))}")
        more = f" and {len(self) - LISTED} more" if len(self) > LISTED else ""
        raise KeyError(f"there is no {name!r}; there are {', '.join(map(repr, [*self][:LISTED]))}{more}")


def _plain(name: Hashable) -> str:
    """A name in small letters, with spaces for hyphens."""
    return str(name).lower().replace("-", " ").replace("_", " ")
