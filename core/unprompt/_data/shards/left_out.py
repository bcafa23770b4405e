"""Samples that a large dataset leaves out: counted by reason, named, bounded by a share."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from unprompt.errors import DataError, named

log = logging.getLogger(__name__)

_SHOWN = 20
"""Lines on what is left out that are shown; the others are counted."""

BrokenShare = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Largest share of the samples that may be left out, because they have no "
        "prompt or no image, or are damaged; each is counted and the first are named. More stop "
        "the command.",
        json_schema_extra={"unit": "share"},
    ),
]


class LeftOut(NamedTuple):
    """A sample, or a part of a file, that cannot be used.

    Attributes:
        name: Of the sample, or where the part begins.
        reason: Why.
        counts: Whether it is one of the samples; else it is a remark on a file.
    """

    name: str
    reason: str
    counts: bool = True


def by_reason(items: Sequence[LeftOut], where: str) -> list[str]:
    """One line for each reason why something was left out, with the first names; the remarks."""
    remarks = [f"{where}: {item.name} {item.reason}" for item in items if not item.counts]
    items = [item for item in items if item.counts]
    names: dict[str, list[str]] = {}
    for item in items:
        names.setdefault(item.reason, []).append(item.name)
    times = Counter(item.reason for item in items)
    return [
        f"{where}: left out, {reason}: {times[reason]:,}: {named(some, limit=3)}"
        for reason, some in names.items()
    ] + remarks


def check_left_out(lines: Sequence[str], lost: int, whole: int, share: float, where: str) -> None:
    """Say what is left out.

    Args:
        lines: What and why.
        lost: How many samples are.
        whole: How many are not.
        share: Of all samples that may be.
        where: How error lines name the dataset.

    Raises:
        DataError: They are more than the share, or no sample is left.
    """
    more = len(lines) - _SHOWN
    shown = [*lines[:_SHOWN], *[f"{more} more lines on what is left out"] * (more > 0)]
    if not whole:
        raise DataError([f"{where}: no image with a prompt", *shown])
    if lost > share * (lost + whole):
        head = (
            f"{where}: {lost:,} of {lost + whole:,} samples cannot be used, more than the share of "
            f"{share:g} (option `broken`)"
        )
        raise DataError([head, *shown])
    for line in shown:
        log.warning(line)
