"""The one line that says why a storage cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

from unprompt.errors import ConfigError, first_line


def masked(storage: str | Path) -> str:
    """A storage's path or URL for people: its password is ``***``."""
    # A password may hold an unescaped @ or /, so what is hidden reaches to the last @.
    text = re.sub(r"(?s)(://[^:/@]*):.*@", r"\1:***@", str(storage))
    return re.sub(r"([?&](?:ssl)?(?:password|passwd|pwd)=)[^&]*", r"\1***", text)


def reason_of(error: BaseException) -> str:
    """The first line of what went wrong in the library underneath."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    original = getattr(error, "orig", None) or error  # SQLAlchemy keeps the driver's error there
    if original is error and error.__cause__ is not None:
        return reason_of(error.__cause__)
    return " ".join(first_line(original).split())


def unusable(storage: str, reason: str) -> ConfigError:
    """The error for a storage, named without its password, and a reason."""
    return ConfigError(f"{masked(storage)}: cannot be a study's storage: {reason}")
