"""The one exception tree of unprompt.

::

    UnpromptError            a user's mistake: one clear line per problem, exit code 2
    ├── ConfigError          a YAML file or a --set override is wrong (all problems at once)
    ├── DataError            images, prompt tables, predictions
    ├── PluginError          a plugin is missing, broken, claimed twice or breaks its contract
    ├── MissingFileError     weights or another local file is needed and not there
    └── OutputError          a result cannot be written

Anything outside this tree is a bug, in unprompt or in a plugin, and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class UnpromptError(Exception):
    """A user's mistake.

    Attributes:
        problems: One line of text per problem, in reading order; never empty.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        """Keep the problems; a single string is one problem."""
        self.problems: tuple[str, ...] = (
            (problems,) if isinstance(problems, str) else tuple(problems)
        )
        super().__init__("\n".join(self.problems))


class ConfigError(UnpromptError):
    """A YAML file or a ``--set`` override is wrong; problems read ``file:line:col: path: what``."""


class DataError(UnpromptError):
    """An image, a prompt table or a table of predictions is unusable."""


class PluginError(UnpromptError):
    """A plugin is unknown, broken, claimed twice, or does not keep its contract."""


class MissingFileError(UnpromptError):
    """A file that a member needs is not there; the line says where it was looked for."""


class OutputError(UnpromptError):
    """A result cannot be written where it was asked for."""


def first_line(error: BaseException) -> str:
    """What a library's error says first, or its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def named(things: Sequence[str], *, limit: int = 5) -> str:
    """Name the first few of many things for an error line: ``'a', 'b' and 7 more``."""
    head = ", ".join(repr(thing) for thing in things[:limit])
    return head if len(things) <= limit else f"{head} and {len(things) - limit} more"
