"""``UNPROMPT_PLUGINS``: the only plugins that may be used, where it is set."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache

from unprompt._config.reference import normalised, split_reference
from unprompt._registry.claims import Claim

log = logging.getLogger(__name__)

VARIABLE = "UNPROMPT_PLUGINS"
"""Names, or ``distribution:name``, separated by commas; empty: no plugin at all."""


def divided(claims: Sequence[Claim]) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Divide claims by `VARIABLE`; an entry that means none of them is named in a warning, once.

    Returns:
        Those that may be used, and the others, both in their order.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return tuple(claims), ()
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    for entry in entries:
        if not any(matches(entry, claim) for claim in claims):
            _warn(entry)
    allowed = {claim for claim in claims if any(matches(entry, claim) for entry in entries)}
    others = tuple(claim for claim in claims if claim not in allowed)
    return tuple(claim for claim in claims if claim in allowed), others


def matches(reference: str, claim: Claim) -> bool:
    """Whether ``name`` or ``distribution:name`` means a claim."""
    distribution, name = split_reference(reference)
    own = distribution in (None, normalised(claim.distribution))
    return own and name == claim.name


@cache  # a command may ask more than once
def _warn(entry: str) -> None:
    log.warning("%s: there is no plugin %r", VARIABLE, entry)
