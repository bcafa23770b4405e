"""What is expected of a single prediction, without knowing the true prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run has learned to expect of an image.

    Attributes:
        score: The cosine of the prediction with the true prompt that is expected; None where the
            image is out of domain: nothing is known of such images; and where there is no
            prediction, as nobody has an answer.
        low: Lower end of the interval that holds the true cosine of 90 % of images; None with it.
        high: Its upper end; None with it.
        out_of_domain: Whether the image is unlike all that the run was scored on.
    """

    score: float | None
    low: float | None
    high: float | None
    out_of_domain: bool

    @classmethod
    def unknown(cls, *, out_of_domain: bool) -> Expected:
        """Of an image that is out of domain, or has no prediction."""
        return cls(None, None, None, out_of_domain)
