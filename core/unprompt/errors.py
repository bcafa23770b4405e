"""The exceptions of unprompt.

::

    UnpromptError            a user's mistake: one line per problem, exit code 2
    ├── ConfigError          a YAML file or a --set override is wrong (lists all problems)
    ├── DataError            images, prompt tables, predictions
    ├── PluginError          a plugin is missing, broken, claimed twice or breaks its contract
    │   └── PluginFailure    its code raised an exception: with its traceback, exit code 1
    ├── MissingFileError     a checkpoint or another local file is needed and does not exist
    └── OutputError          a result cannot be written

Any other exception is a bug of unprompt and is shown with its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence

from unprompt._masking import masked


class UnpromptError(Exception):
    """A user's mistake.

    Attributes:
        problems: One line of text per problem, in reading order; never empty.
        named: Whether the problems say whose plugin they come from.
    """

    named = False

    def __init__(self, problems: str | Sequence[str]) -> None:
        """Keep the problems, secrets masked; a single string is one problem."""
        lines = (problems,) if isinstance(problems, str) else tuple(problems)
        self.problems: tuple[str, ...] = tuple(map(masked, lines))
        super().__init__("\n".join(self.problems))

    def prefix(self, words: str) -> None:
        """Put ``words`` in front of each problem, in place: type and traceback stay."""
        # A subclass of a plugin may have left out __init__, and fail to say what it is.
        problems = getattr(self, "problems", None) or (type(self).__name__,)
        self.problems = tuple(f"{words}{problem}" for problem in problems)
        self.args = ("\n".join(self.problems),)


class ConfigError(UnpromptError):
    """A YAML file or a ``--set`` override is wrong; problems read ``file:line:col: path: what``."""


class DataError(UnpromptError):
    """An image, a prompt table or a table of predictions is unusable."""


class PluginError(UnpromptError):
    """A plugin is unknown, broken, claimed twice, or does not keep its contract."""


class PluginFailure(PluginError):
    """Code of a plugin raised an exception that is no `UnpromptError`, or ended the program.

    The line names plugin, distribution, version and call; ``__cause__`` is what was raised.
    """


class MissingFileError(UnpromptError):
    """A file that a member needs does not exist; the line says where it was looked for."""


class OutputError(UnpromptError):
    """A result cannot be written to its path."""


def first_line(error: BaseException) -> str:
    """The first line of an error of a library; its type where the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def named(names: Sequence[str], *, limit: int = 5) -> str:
    """Name the first ``limit`` of many values for an error line: ``'a', 'b' and 7 more``."""
    head = ", ".join(repr(name) for name in names[:limit])
    return head if len(names) <= limit else f"{head} and {len(names) - limit} more"


def amount(count: int, noun: str, several: str = "") -> str:
    """A number with its noun: ``1 field``, ``2,000 fields``; ``several`` where an s is wrong."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
