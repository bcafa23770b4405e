"""The one line that says why a storage cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

from unprompt.errors import ConfigError, first_line


def masked(where: str | Path) -> str:
    """A storage's name for people: its password is ``***``."""
    # A password may hold an unescaped @ or /, so what is hidden reaches to the last @.
    text = re.sub(r"(?s)(://[^:/@]*):.*@", r"\1:***@", str(where))
    return re.sub(r"([?&](?:ssl)?(?:password|passwd|pwd)=)[^&]*", r"\1***", text)


def why(error: BaseException) -> str:
    """What the library underneath said first."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    below = getattr(error, "orig", None) or error
    if below is error and error.__cause__ is not None:
        return why(error.__cause__)
    return " ".join(first_line(below).split())


def unusable(where: str, reason: str) -> ConfigError:
    """The error for a storage, named without its password, and a reason."""
    return ConfigError(f"{masked(where)}: cannot be a study's storage: {reason}")
