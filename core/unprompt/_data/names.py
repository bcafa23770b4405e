"""Ids that look the same and differ in their Unicode form, as macOS and tables write them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SHOWN = 3
"""Pairs of such ids in a line."""


def form_twins(missing: Iterable[str], extra: Iterable[str]) -> list[str]:
    """At most one line on ids that do not match only because of their Unicode form.

    Args:
        missing: Ids on the one side without a partner on the other.
        extra: Ids on the other side without a partner.
    """
    forms = {unicodedata.normalize("NFC", name): name for name in extra}
    pairs = [
        (name, forms[form])
        for name in missing
        if (form := unicodedata.normalize("NFC", name)) in forms
    ]
    if not pairs:
        return []
    shown = ", ".join(f"{first!a} and {second!a}" for first, second in pairs[:SHOWN])
    more = f" and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    return [f"these ids differ only in their Unicode form (NFC, NFD): {shown}{more}"]
