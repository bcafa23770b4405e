"""Fingerprints: the same within roundings, another for a single other image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unprompt._search.fingerprint import differences, sketch
from unprompt.embeddings import Embeddings, unit
from unprompt.types import FloatArray


def rows(count: int = 16_000) -> FloatArray:
    return unit(np.random.default_rng(3).standard_normal((count, 384)))


def embeddings(values: npt.NDArray[np.floating]) -> Embeddings:
    return Embeddings(tuple(map(str, range(len(values)))), unit(values))


def test_roundings_are_the_same_and_one_other_row_is_not() -> None:
    values = rows()
    known = {"predictions": {"knn": sketch(embeddings(values))}}
    noise = np.random.default_rng(4).standard_normal(values.shape)
    rounded = {"predictions": {"knn": sketch(embeddings(values + 1e-6 * noise))}}
    assert rounded != known
    assert differences(known, rounded) == []
    values[77] = values[78]
    other = {"predictions": {"knn": sketch(embeddings(values))}}
    assert differences(known, other) == ["predictions of knn"]


def test_swapped_rows_are_other_predictions() -> None:
    values = rows(600)
    swapped = values.copy()
    swapped[[0, 1]] = values[[1, 0]]
    assert differences(
        {"knn": sketch(embeddings(values))}, {"knn": sketch(embeddings(swapped))}
    ) == ["knn"]


def test_a_fingerprint_of_another_kind_is_another() -> None:
    assert differences({"knn": "a hash"}, {"knn": [0.1, 0.2]}) == ["knn"]
    assert differences({"knn": [0.1]}, {"knn": [0.1, 0.2]}) == ["knn"]
    assert differences({"split": "a"}, {"split": "b", "new": "c"}) == ["new", "split"]
