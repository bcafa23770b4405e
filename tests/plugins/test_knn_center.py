"""Option `center`: the gap between images and texts is taken out, and an artifact keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unprompt import ConfigError, DataError, Runtime, unit
from unprompt.bank import PromptBank
from unprompt.testing import example_images, example_train_set
from unprompt.types import FloatArray
from unprompt_knn.centre import Centre, centred, summed
from unprompt_knn.kernel import Softmax
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_knn.ridge import Ridge

from .knn_fits import fitted, number_of

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-b"}


def problem(gap: float) -> tuple[PromptBank, FloatArray, FloatArray]:
    """Targets that are linear in the keys; queries are such keys, moved by ``gap``.

    They lie on a sphere around a mean of their own, as a CLIP's do.
    """
    rng = np.random.default_rng(0)
    keys = unit(rng.standard_normal((400, 8), dtype=np.float32)) + np.float32(0.5)
    seen = unit(rng.standard_normal((200, 8), dtype=np.float32)) + np.float32(0.5)
    linear, mean = rng.standard_normal((8, 12)), 3 * rng.standard_normal(12)
    rows, targets = (unit(((x - 0.5) @ linear + mean).astype(np.float32)) for x in (keys, seen))
    away = gap * unit(rng.standard_normal((1, 8), dtype=np.float32))
    return PromptBank.of([f"prompt {i}" for i in range(400)], rows, keys), seen + away, targets


def score(bank: PromptBank, queries: FloatArray, targets: FloatArray, center: bool) -> float:
    """Mean cosine of ridge with the penalty that it finds, on the second half of the queries."""
    centre = Centre.of(queries[:100], bank) if center else None
    bank, moved = (centred(bank), centre.moved(queries)) if centre else (bank, unit(queries))
    kernel = Ridge(fit=1)
    choice = fitted(bank, moved[:100], targets[:100], 60, kernel, 1.1, centre)
    kernel = Ridge(penalty=number_of(choice))
    cosines, rows = bank.search_keys(moved[100:], 60)
    predicted = summed(bank.targets[rows], kernel.shares(cosines, rows, bank.keys), centre)
    return float((predicted * targets[100:]).sum(axis=1).mean())


def test_a_gap_between_images_and_texts_costs_nothing_with_center() -> None:
    near, far = problem(0.0), problem(3.0)
    assert score(*far, center=True) == pytest.approx(score(*near, center=True), abs=1e-4)
    assert score(*far, center=True) > 0.98 > score(*far, center=False)


def test_the_centre_is_taken_out_of_bank_and_queries() -> None:
    bank, queries, _ = problem(3.0)
    centre, moved = Centre.of(queries, bank), centred(bank)
    np.testing.assert_allclose(centre.queries, queries.mean(axis=0), rtol=1e-6)
    wanted = bank.keys.astype(np.float64) - bank.keys.mean(axis=0)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(moved.keys, wanted, atol=1e-6)
    assert moved.targets is bank.targets
    # As far from its mean as each key is from theirs, whatever the gap: a sphere around each.
    np.testing.assert_allclose(np.linalg.norm(centre.moved(queries), axis=1), 1, atol=1e-6)


def test_what_the_shares_leave_over_is_the_mean_targets() -> None:
    bank, queries, _ = problem(1.0)
    centre = Centre.of(queries, bank)
    near = bank.targets[[[3, 7]]]
    mean = bank.targets.mean(axis=0)
    for shares in ([[0.5, -0.2]], [[0.0, 0.0]], [[0.6, 0.4]]):
        a, b = shares[0]
        wanted = mean + a * (near[0, 0] - mean) + b * (near[0, 1] - mean)
        row = summed(near, np.array(shares), centre)[0]
        np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-6)


def options(**given: Any) -> KnnOptions:
    return KnnOptions.model_validate({"backbone": CLIP, "neighbours": 4, **given})


def test_a_member_learns_its_centre_and_predicts_the_same_from_its_artifact(
    tmp_path: Path,
) -> None:
    train = example_train_set()
    member = Knn(options(center=True, kernel={"name": "ridge", "fit": 4}), Runtime())
    member.prepare(train, tmp_path)
    queries = np.concatenate([rows for _, rows in member.queries.batches(train.images, what="")])
    kept = load_file(tmp_path / "centre.safetensors")
    np.testing.assert_allclose(kept["queries"], queries.mean(axis=0), atol=1e-6)
    member.load(tmp_path)
    (batch,) = member.predict(example_images())
    assert batch.features is not None
    ((_, raw),) = member.queries.batches(example_images(), what="")
    np.testing.assert_allclose(batch.features.rows, raw, atol=1e-6)  # as the tower gives them
    # The prediction written out, with the penalty that was kept.
    bank = PromptBank.read(tmp_path)
    moved = unit(raw - kept["queries"])
    kernel = member._fitted.kernel
    for row, query in zip(batch.embeddings.rows, moved, strict=True):
        near = np.argsort(-bank.keys @ query)[:4]
        keys, rows = bank.keys[near].astype(np.float64), bank.targets[near]
        assert isinstance(kernel, Ridge)
        shares = np.linalg.solve(keys @ keys.T + kernel.penalty * np.eye(len(near)), keys @ query)
        mean = bank.targets.mean(axis=0)
        wanted = mean + shares @ (rows - mean)
        np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-5)
    for evidence in batch.evidence:
        assert all(0 < piece.score <= 1 for piece in evidence)
    # The same centre in other options of the same member.
    other = options(center=True, kernel={"name": "softmax"}, neighbours=2)
    again = Knn(options(center=True), Runtime())
    again.prepare(train, tmp_path)
    again.load(tmp_path)
    (varied,) = again.predict_variants(example_images(), [other])
    plain = Knn(other, Runtime())
    plain.load(tmp_path)
    (wanted_batch,) = plain.predict(example_images())
    np.testing.assert_allclose(varied[0].rows, wanted_batch.embeddings.rows, atol=1e-6)
    for predictor in (member, again, plain):
        predictor.close()


def test_softmax_without_a_gap_to_the_mean_has_nothing_left_over() -> None:
    bank, queries, _ = problem(1.0)
    centre, cosines = Centre.of(queries, bank), np.full((1, 2), 0.5, np.float32)
    shares = Softmax().shares(cosines, np.zeros((1, 2), np.int64), bank.keys)
    near = bank.targets[[[3, 7]]]
    np.testing.assert_allclose(summed(near, shares, centre), summed(near, shares, None), atol=1e-6)


def test_without_images_there_is_no_centre(tmp_path: Path) -> None:
    from dataclasses import replace

    table = tmp_path / "prompts.csv"
    table.write_text("prompt\na red fox\n")
    train = example_train_set()
    none = replace(
        train, records=(), images=train.images.select(()), targets=train.targets.select(())
    )
    member = Knn(options(center=True, bank={"prompts": str(table)}), Runtime())
    with pytest.raises(DataError, match=r"^`center` has no images to go by: "):
        member.prepare(none, tmp_path)


def test_a_centre_of_another_tower_is_refused(tmp_path: Path) -> None:
    bank, queries, _ = problem(1.0)
    Centre.of(queries, bank).save(tmp_path)
    assert np.array_equal(Centre.read(tmp_path, bank).queries, queries.mean(axis=0))
    kept = Centre.read(tmp_path, bank)
    np.testing.assert_array_equal(kept.keys, bank.keys.mean(axis=0))
    five = np.zeros(5, np.float32)
    save_file({"queries": five, "keys": five}, tmp_path / "centre.safetensors")
    with pytest.raises(DataError, match="5 numbers, but the bank's keys 8: "):
        Centre.read(tmp_path, bank)


@pytest.mark.parametrize("change", [{"center": False}, {"views": ["hflip"]}])
def test_an_artifact_with_a_centre_is_for_the_same_centre_and_views(
    change: dict[str, object],
) -> None:
    member = Knn(options(center=True), Runtime())
    with pytest.raises(ConfigError):
        member.check_prepared(options(**{"center": True, **change}))
