"""How near a text is to a prediction, beyond what brings it near to everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unprompt.contracts import TextEncoder
from unprompt.embeddings import unit
from unprompt.types import FloatArray

UNRELATED = (
    "the train to the airport leaves at noon",
    "quarterly report on wheat prices",
    "how to repair a leaking kitchen tap",
    "the committee rejected the tax proposal",
    "a recipe for lentil soup",
    "symptoms of a common cold",
    "the history of the printing press",
    "parents should sign the school form",
    "she plays the violin every evening",
    "the court heard both sides",
    "install the printer driver first",
    "our team lost the second half",
    "the museum closes on mondays",
    "interest rates rose for the third time",
    "he forgot his umbrella on the bus",
    "water boils at one hundred degrees",
    "my neighbour sells used washing machines",
    "the election results were announced late",
    "please send the invoice by friday",
    "a short introduction to linear algebra",
    "the patient was given antibiotics",
    "they argued about the rent",
    "the contract ends in september",
    "breakfast is served from seven to ten",
    "our flight was delayed by two hours",
    "the new bridge will cost four million",
    "he studied law at a small university",
    "press the red button to stop the machine",
    "the factory makes tyres and hoses",
    "she lost her keys at the office",
    "the second chapter is about inflation",
    "vaccines are kept in the fridge",
)
"""Sentences about 32 matters: what they have in common is in every text."""
USUAL = 0.75
"""The quantile of candidates that may be near to everything; one of four may be a sticky one."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearness:
    """Values texts by their nearness to one prediction.

    Some tokens raise a text's cosine with everything (Kaggle's `lucrarea`; "sticky tokens",
    arXiv 2507.18171): they draw it to what all texts have in common. A text may have as much of
    that as its image's candidates usually have; its cosine with the common direction beyond that
    is subtracted, which is at least what the text gains by it. The direction is always the same,
    so that a text's value does not depend on the other images of a call.

    Attributes:
        row: The prediction, a unit row of shape (D,).
        common: The common direction, a unit row of shape (D,).
        usual: How near to it candidates usually are, -1..1.
    """

    row: FloatArray
    common: FloatArray
    usual: float

    @classmethod
    def among(cls, candidates: FloatArray, row: FloatArray, common: FloatArray) -> Nearness:
        """For the image that has candidates with the unit rows (n, D), n > 0."""
        return cls(row, common, float(np.quantile(candidates @ common, USUAL)))

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The values of texts with the unit ``rows`` of shape (n, D): shape (n,)."""
        values: FloatArray = rows @ self.row - np.maximum(rows @ self.common - self.usual, 0)
        return values


def common_direction(encoder: TextEncoder) -> FloatArray:
    """The mean row of the unrelated sentences, scaled to length 1: shape (D,)."""
    direction: FloatArray = unit(encoder.encode(UNRELATED).mean(axis=0, keepdims=True))[0]
    return direction
