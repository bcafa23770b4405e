"""What is neither shown nor written: secrets of options, and passwords in URLs.

The one place that masks. Values that a process has been given as secrets, and those of environment
variables that a YAML file names, are known here from the moment they are read; everything that
goes to people or into files passes `masked`. The lowest module of all, as errors are masked too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

MASK = "*" * 10
"""What stands for a secret, as pydantic shows one."""

SHORTEST = 4
"""Letters of a secret that is looked for inside other text; shorter ones would be everywhere."""

_known: dict[str, str] = {}
"""Each text that is not shown -> what is shown for it."""

_secrets: set[str] = set()
"""Every secret, also short ones."""

_PASSWORD = re.compile(
    # No passwords: a port with a path behind it (https://host:8080/files/@latest), and what a
    # line says should be written (postgresql://USER:PASSWORD@HOST).
    r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@?#]*):(?!\d{1,5}(?:[/?#\s]|$)|PASSWORD@)\S*@"
)
# A password may hold an unescaped @ or /, so what is hidden reaches to the last @.
_PASSWORD_OF_URL = re.compile(r"(?s)(://[^:/@]*):.*@")
_PARAMETER = re.compile(
    r"([?&](?:(?:ssl)?(?:password|passwd|pwd)|(?:access_)?token|api_?key|(?:client_)?secret)=)"
    r"[^&\s]*",
    re.IGNORECASE,
)
_MASKED = re.compile(r"\*{10}|://[^\s:/@]*:\*{3,}@|[?&]\w*(?:password|passwd|pwd)=\*{3,}")


def remember(secret: str, shown: str = MASK, *, shortest: int = SHORTEST) -> None:
    """From now on, show ``shown`` where a text holds ``secret``.

    Args:
        secret: What is not shown; nothing happens where it has fewer than ``shortest`` letters.
        shown: What stands for it.
        shortest: Its least number of letters.
    """
    if shown == MASK:
        _secrets.add(secret)
    if len(secret) >= shortest:
        for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, "")):
            _known.setdefault(form, shown)


def masked(text: str) -> str:
    """A text without the secrets that are known and the passwords of URLs in it."""
    return _without_passwords(_replaced(text, _known))


def without_secrets(text: str) -> str:
    """`masked`, but for the values of variables, which may be paths that a file has to name."""
    return _without_passwords(_replaced(text, dict.fromkeys(_long_secrets(), MASK)))


def _long_secrets() -> list[str]:
    return [secret for secret in _secrets if len(secret) >= SHORTEST]


def _replaced(text: str, known: Mapping[str, str]) -> str:
    for form in sorted(known, key=len, reverse=True):
        if form in text:
            text = text.replace(form, known[form])
    return text


def _without_passwords(text: str) -> str:
    return _PARAMETER.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1:{MASK}@", text))


def masked_url(url: str) -> str:
    """`masked` for a text that is one URL as a whole: whatever may be a password is hidden."""
    known = _replaced(url, _known)
    return _without_passwords(_PASSWORD_OF_URL.sub(rf"\1:{MASK}@", known))


def masked_command(words: Sequence[str]) -> tuple[str, ...]:
    """A command line as it may be kept; a value that is a secret is hidden however short it is."""
    return tuple(_masked_word(word) for word in words)


def is_masked(text: str) -> bool:
    """Whether a secret has been masked in a text, by this or an earlier version."""
    return bool(_MASKED.search(text))


def _masked_word(word: str) -> str:
    head, equals, value = word.rpartition("=")
    if value and value.strip().strip("\"'") in _secrets:
        return f"{head}{equals}{MASK}"
    return masked_url(word)
