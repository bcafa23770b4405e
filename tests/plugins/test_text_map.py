"""The family text-map: ridge regression from sums, on images moved to where texts lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import Ridge

from unprompt import ConfigError, DataError, Runtime, unit
from unprompt.testing import (
    HashedWords,
    PredictorContract,
    Prepared,
    example_images,
    example_train_set,
    make_prepared,
)
from unprompt.types import FloatArray
from unprompt_text_map.mapper import TextMap
from unprompt_text_map.normal import TRIED, Fit, Sums
from unprompt_text_map.options import TextMapOptions

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-a"}


def options(**given: Any) -> TextMapOptions:
    return TextMapOptions.model_validate({"backbone": CLIP, **given})


class TestTextMap(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        return make_prepared(TextMap, options(), tmp_path_factory.mktemp("text-map"))


def rows(count: int, noise: float = 0.0, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Keys around a mean, and targets that are linear in them but for noise."""
    rng = np.random.default_rng(seed)
    linear = np.random.default_rng(9).standard_normal((7, 5))
    keys = unit(rng.standard_normal((count, 7)) + 0.5)
    targets = keys @ linear + 2 + noise * rng.standard_normal((count, 5))
    return keys, unit(targets)


@pytest.mark.parametrize("parts", [1, 3, 50])
def test_the_map_is_scikit_learns_ridge_however_its_rows_come(parts: int) -> None:
    keys, targets = rows(200, noise=0.3)
    sums = Sums.empty(7, 5)
    for part in np.array_split(np.arange(200), parts):
        sums.add(keys[part], targets[part])
    (linear,) = sums.solved([0.3])
    variance = keys.astype(np.float64).var(axis=0).mean()
    known = Ridge(alpha=0.3 * variance * 200).fit(keys.astype(np.float64), targets)
    new, _ = rows(20, seed=1)
    np.testing.assert_allclose(linear.predict(new), unit(known.predict(new)), atol=1e-5)


@pytest.mark.parametrize("penalty", [1e-8, 1e-12, 1e-15, 1e-300])
def test_fewer_rows_than_dimensions_and_next_to_no_penalty(penalty: float) -> None:
    """The map of least length through all rows, and no rounding that is divided by nothing."""
    rng = np.random.default_rng(0)
    keys, targets = unit(rng.standard_normal((20, 64))), unit(rng.standard_normal((20, 8)))
    sums = Sums.empty(64, 8)
    sums.add(keys, targets)
    (linear,) = sums.solved([penalty])
    x, y = (rows.astype(np.float64) for rows in (keys, targets))
    least = np.linalg.pinv(x - x.mean(axis=0), rcond=1e-10) @ (y - y.mean(axis=0))
    np.testing.assert_allclose(linear.weight, least, atol=1e-6 * np.abs(least).max())
    np.testing.assert_allclose(linear.predict(keys), targets, atol=1e-6)


def test_16_bit_rows_are_summed_in_64_bits() -> None:
    keys, targets = (array.astype(np.float16) for array in rows(9000))
    sums = Sums.empty(7, 5)
    sums.add(keys, targets)
    wide = keys.astype(np.float64)
    np.testing.assert_allclose(sums.squares, wide.T @ wide, rtol=1e-12)
    np.testing.assert_allclose(sums.products, wide.T @ targets.astype(np.float64), rtol=1e-12)


def test_the_penalty_is_the_best_on_rows_that_are_held_out() -> None:
    keys, targets = rows(60, noise=2.0)
    fit = Fit(60, None, held_out=12)
    for part in np.array_split(np.arange(60), 7):
        fit.add(keys[part], targets[part])
    linear = fit.solved()
    out = np.arange(60) % 5 == 4
    scores = []
    for penalty in TRIED:
        variance = keys[~out].astype(np.float64).var(axis=0).mean()
        known = Ridge(alpha=penalty * variance * 48).fit(
            keys[~out].astype(np.float64), targets[~out]
        )
        scores.append((unit(known.predict(keys[out])) * targets[out]).sum(axis=1).mean())
    assert linear.penalty == TRIED[int(np.argmax(scores))] > TRIED[0]
    assert linear.cosine == pytest.approx(max(scores), abs=1e-5)
    assert linear.rows == 60
    # Then it is fitted to all rows.
    whole = Sums.empty(7, 5)
    whole.add(keys, targets)
    (again,) = whole.solved([linear.penalty])
    np.testing.assert_allclose(linear.weight, again.weight, atol=1e-6)


def test_a_given_penalty_holds_nothing_out() -> None:
    keys, targets = rows(40)
    fit = Fit(40, 0.5, held_out=8)
    fit.add(keys, targets)
    linear = fit.solved()
    assert (linear.penalty, linear.cosine, linear.rows) == (0.5, None, 40)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_rows_that_are_all_the_same_fit_no_map(count: int) -> None:
    fit = Fit(count, None, held_out=8)
    if count:
        keys, targets = rows(1)
        fit.add(keys.repeat(count, axis=0), targets.repeat(count, axis=0))
    with pytest.raises(DataError, match="at least two different prompts"):
        fit.solved()


@pytest.mark.parametrize("center", [True, False])
def test_images_are_mapped_as_texts_are(center: bool, tmp_path: Path) -> None:
    train = example_train_set()
    member = TextMap(options(center=center, penalty=0.7, guesses=10, evidence=3), Runtime())
    member.prepare(train, tmp_path)
    member.load(tmp_path)
    (batch,) = member.predict(example_images())
    keys = member.clip.texts([record.prompt for record in train.records]).astype(np.float64)
    (queries,) = (seen for _, seen in member.queries.batches(example_images(), what=""))
    moved = queries - keys.mean(axis=0)
    if center:
        images = np.concatenate([x for _, x in member.queries.batches(train.images, what="")])
        moved = queries - images.mean(axis=0)
        moved *= np.sqrt(keys.var(axis=0).sum() / images.astype(np.float64).var(axis=0).sum())
    variance = keys.var(axis=0).mean()
    known = Ridge(alpha=0.7 * variance * len(keys)).fit(keys, train.targets.rows)
    wanted = unit(known.predict(moved + keys.mean(axis=0)))
    np.testing.assert_allclose(batch.embeddings.rows, wanted, atol=1e-4)
    prompts = [record.prompt for record in train.records][::3]
    near = wanted @ HashedWords().encode(prompts).T
    for number, evidence in enumerate(batch.evidence):
        best = [prompts[i] for i in np.argsort(-near[number])[:3]]
        assert [piece.text for piece in evidence] == best
        assert batch.prompts[number] == best[0]
    note = json.loads((tmp_path / "map.json").read_text())
    assert note == {"penalty": 0.7, "rows": 24, "held_out_cosine": None}
    member.close()


def test_a_bank_in_parts_gives_the_same_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for number, part in enumerate((8192, 5)):
        monkeypatch.setattr("unprompt_text_map.mapper.PART", part)
        folder = tmp_path / str(number)
        folder.mkdir()
        member = TextMap(options(guesses=7), Runtime())
        member.prepare(example_train_set(), folder)
        kept.append((load_file(folder / "map.safetensors"), (folder / "prompts.json").read_text()))
    (whole, texts), (parts, same) = kept
    assert texts == same
    for name, tensor in whole.items():
        np.testing.assert_allclose(parts[name], tensor, atol=1e-5)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    from dataclasses import replace

    train = example_train_set()
    none = replace(
        train, records=(), images=train.images.select(()), targets=train.targets.select(())
    )
    table = tmp_path / "prompts.csv"
    table.write_text("prompt\na red fox\na blue owl\n")
    bank = {"prompts": str(table)}
    with pytest.raises(DataError, match=r"^`center` has no images to go by: "):
        TextMap(options(bank=bank), Runtime()).prepare(none, tmp_path)
    member = TextMap(options(bank=bank, center=False), Runtime())
    member.prepare(none, tmp_path)
    member.load(tmp_path)
    other = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
    with pytest.raises(DataError, match="numbers, not 33: it was made with another tower"):
        TextMap(options(), Runtime(text_encoder=Wide())).load(tmp_path)
    narrow = {"weight": np.zeros((3, 32)), "mean_query": np.zeros(3), "mean_target": np.zeros(32)}
    save_file(narrow, tmp_path / "map.safetensors")
    with pytest.raises(DataError, match="maps 3 numbers to 32, not 256 to 32: it was made with"):
        TextMap(options(), Runtime()).load(tmp_path)
    assert TextMap(options(backbone=other), Runtime()).identity() != member.identity()


class Wide(HashedWords):
    """Its rows are of another width."""

    @property
    def dim(self) -> int:
        return 33


def test_which_options_one_artifact_serves() -> None:
    TextMap(options(evidence=2), Runtime()).check_prepared(options(evidence=9))
    hflip = {"views": ["hflip"], "center": False}
    TextMap(options(**hflip), Runtime()).check_prepared(options(center=False))
    with pytest.raises(ConfigError, match="an artifact of their own"):
        TextMap(options(views=["hflip"]), Runtime()).check_prepared(options())
    with pytest.raises(ValueError, match="has no effect beside `penalty`"):
        options(penalty=1.0, held_out=3)
