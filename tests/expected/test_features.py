"""What is known of predictions without the truth."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt._scoring.features import agreement_features, answer_features, evidence_features
from unprompt.contracts import Batch, Evidence
from unprompt.embeddings import Embeddings, unit

IDS = ("a", "b", "c")


def batch(rows: np.ndarray, ids: tuple[str, ...] = IDS, evidence: object = None) -> Batch:
    given = evidence or ((),) * len(ids)
    return Batch(Embeddings(ids, unit(rows)), (None,) * len(ids), given)  # type: ignore[arg-type]  # as given


def test_agreement_is_cosines_and_lengths_of_means() -> None:
    rng = np.random.default_rng(0)
    rows = unit(rng.normal(size=(3 * 3, 5))).reshape(3, 3, 5).astype(np.float64)
    members = {name: batch(rows[i]) for i, name in enumerate("xyz")}
    weights = {"x": 2.0, "y": 1.0, "z": 1.0}
    features = agreement_features(members, weights)
    for i in range(3):
        x, y, z = rows[:, i]
        pairs = [x @ y, x @ z, y @ z]
        assert [features[f"agreement {pair}"][i] for pair in ("x y", "x z", "y z")] == (
            pytest.approx(pairs, abs=1e-6)
        )
        assert features["least agreement"][i] == pytest.approx(min(pairs), abs=1e-6)
        mean, weighted = (x + y + z) / 3, x / 2 + y / 4 + z / 4
        assert features["length, equal weights"][i] == pytest.approx(np.linalg.norm(mean), abs=1e-6)
        assert features["length"][i] == pytest.approx(np.linalg.norm(weighted), abs=1e-6)
        # The length follows from agreement alone: |mean|^2 = (M + 2 * sum of cosines) / M^2.
        assert np.linalg.norm(mean) ** 2 == pytest.approx((3 + 2 * sum(pairs)) / 9, abs=1e-6)


def test_members_are_joined_by_id_and_those_of_weight_0_are_left_out() -> None:
    rows = unit(np.random.default_rng(1).normal(size=(3, 4)))
    turned = batch(rows[::-1], IDS[::-1])
    features = agreement_features(
        {"x": batch(rows), "y": turned, "z": batch(-rows)}, {"x": 1.0, "y": 1.0, "z": 0.0}
    )
    assert set(features) == {"agreement x y", "least agreement", "length, equal weights", "length"}
    assert features["agreement x y"] == pytest.approx([1, 1, 1], abs=1e-6)
    assert agreement_features({"x": batch(rows), "z": turned}, {"x": 1.0, "z": 0.0}) == {}


def test_evidence_by_kind_and_nan_where_an_image_has_none() -> None:
    evidence = (
        (Evidence("p", 0.5, "neighbour"), Evidence("q", 0.1, "neighbour")),
        (Evidence("r", 0.3, "phrase"),),
        (),
    )
    members = {"x": batch(np.eye(3), evidence=evidence), "y": batch(np.eye(3))}
    weights = {"x": 1.0, "y": 1.0}
    highest = evidence_features(members, weights, "highest")
    assert set(highest) == {"highest neighbour x", "highest phrase x"}
    np.testing.assert_array_equal(highest["highest neighbour x"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(highest["highest phrase x"], [np.nan, 0.3, np.nan])
    mean = evidence_features(members, weights, "mean")
    np.testing.assert_allclose(mean["mean neighbour x"], [0.3, np.nan, np.nan])
    assert evidence_features(members, {"x": 0.0, "y": 1.0}, "mean") == {}


def test_members_that_abstain_are_no_disagreement() -> None:
    """Each feature is that of the members that answered; NaN where fewer than two did."""
    rng = np.random.default_rng(5)
    rows = unit(rng.normal(size=(3 * 3, 5))).reshape(3, 3, 5).astype(np.float64)
    given = rows.copy()
    given[2, 0] = given[1:, 1] = given[:, 2] = 0  # z abstains from a, y and z from b, all from c
    members = {name: batch(given[i]) for i, name in enumerate("xyz")}
    features = agreement_features(members, {"x": 2.0, "y": 1.0, "z": 1e-9})
    x, y = rows[0, 0], rows[1, 0]
    nan = np.nan
    for name, first in {
        "agreement x y": x @ y,
        "agreement x z": nan,
        "least agreement": x @ y,
        "length, equal weights": np.linalg.norm((x + y) / 2),
        "length": np.linalg.norm((2 * x + y) / 3),
    }.items():
        np.testing.assert_allclose(features[name], [first, nan, nan], atol=1e-6)
    answers = answer_features(members, {"x": 2.0, "y": 1.0, "z": 0.0})
    assert {name: values.tolist() for name, values in answers.items()} == {
        "answered x": [1.0, 1.0, 0.0],
        "answered y": [1.0, 0.0, 0.0],
    }
