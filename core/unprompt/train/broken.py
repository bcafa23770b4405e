"""Samples that cannot be opened: named and counted, until there are too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from unprompt.errors import DataError, named
from unprompt.types import PlainData

_FEWEST = 20
"""Samples that have to be tried before a share of them means anything."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Broken:
    """A sample that cannot be opened.

    Attributes:
        image_id: Which.
        reason: The line of its error, which names its file.
    """

    image_id: str
    reason: str


class BrokenSamples:
    """Counts samples that cannot be opened; more than a share of them stops a training.

    Attributes:
        share: The largest share of the samples that may be broken, 0..1.
        total: Number of samples.
        tried: How many times a sample was to be opened; each epoch counts anew.
        broken: How many of these times it could not be.
        reasons: Why, by image id.
    """

    def __init__(self, share: float, total: int) -> None:
        """Begin with no sample tried."""
        self.share, self.total = share, total
        self.tried = self.broken = 0
        self.reasons: dict[str, str] = {}

    def add(self, tried: int, broken: Iterable[Broken]) -> list[str]:
        """Count one batch.

        Args:
            tried: Samples of the batch, the broken ones included.
            broken: Those that could not be opened.

        Returns:
            A line for each sample that was not known to be broken.

        Raises:
            DataError: More than the share of the samples are broken; decided once 20 of them, or
                all, were tried.
        """
        items = list(broken)
        fresh = [item.reason for item in items if item.image_id not in self.reasons]
        self.reasons |= {item.image_id: item.reason for item in items}
        self.tried += tried
        self.broken += len(items)
        enough = self.tried >= min(_FEWEST, self.total)
        if enough and self.broken > self.share * self.tried:
            raise DataError([self._too_many(), *list(self.reasons.values())[:_NAMED]])
        return fresh

    def summary(self) -> str:
        """One sentence for the model card."""
        if not self.reasons:
            return f"All {self.total:,} samples could be opened as far as they were tried."
        return (
            f"{len(self.reasons):,} of {self.total:,} samples cannot be opened and were left out: "
            f"{named(list(self.reasons))}."
        )

    def state(self) -> dict[str, PlainData]:
        """What a checkpoint keeps; see `restore`."""
        return {"tried": self.tried, "broken": self.broken, "reasons": dict(self.reasons)}

    def restore(self, state: Mapping[str, PlainData]) -> None:
        """Go on where a checkpoint's `state` ended.

        Raises:
            DataError: It is no state.
        """
        tried, broken, reasons = (state.get(key) for key in ("tried", "broken", "reasons"))
        if not isinstance(tried, int) or not isinstance(broken, int):
            raise DataError("the checkpoint does not say how many samples were tried")
        if not isinstance(reasons, dict):
            raise DataError("the checkpoint does not name the samples that are broken")
        self.tried, self.broken = tried, broken
        self.reasons = {str(name): str(reason) for name, reason in reasons.items()}

    def _too_many(self) -> str:
        return (
            f"{self.broken:,} of {self.tried:,} samples cannot be opened, more than the share of "
            f"{self.share:g} that may be: {named(list(self.reasons))}"
        )
