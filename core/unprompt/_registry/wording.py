"""What plugins raise and make, as text on one line."""

from __future__ import annotations

from collections.abc import Callable

_LONGEST = 300
"""Letters of an exception's text that are shown."""


def described(error: BaseException) -> str:
    """An error on one printable line of bounded length, with its type."""
    return f"{class_name(type(error))}: {one_line(error, str)}"


def class_name(kind: type) -> str:
    """A class by its own name, whatever its metaclass says."""
    return str(type.__dict__["__name__"].__get__(kind))


def one_line(value: object, words: Callable[[object], str] = repr, longest: int = _LONGEST) -> str:
    """What a plugin made as one printable line.

    Args:
        value: Anything; it may fail to say what it is.
        words: ``repr`` or ``str``.
        longest: The most letters of it that are shown.
    """
    try:
        text = words(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything in its __str__
        return f"(its text cannot be shown: {type(error).__name__})"
    short = " ".join(text[: 10 * longest].split())
    cut = len(short) > longest or len(text) > 10 * longest
    printable = (
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in short[:longest]
    )
    return "".join(printable) + (" ..." if cut else "")


def what_is(value: object) -> str:
    """A value by its type, with its text where that is short: ``None``, ``the text 'x'``."""
    if value is None or isinstance(value, bool | int | float):
        return one_line(value, longest=60)
    if isinstance(value, str):
        return f"the text {one_line(value, longest=60)}"
    name = class_name(value if isinstance(value, type) else type(value))
    kind = "the class" if isinstance(value, type) else "an" if name[:1] in "AEIOaeio" else "a"
    return f"{kind} {one_line(name, str, longest=60)}"
