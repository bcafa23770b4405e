"""The kernel that fits itself: near-duplicates do not count, and the answer is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unprompt import DataError, Embeddings, Images, Runtime, TrainSet, unit
from unprompt.bank import PromptBank
from unprompt.testing import HashedWords, example_images, example_train_set
from unprompt.types import FloatArray
from unprompt_knn.kernel import Power, Rank, Softmax
from unprompt_knn.kernels import Auto, Fitted, Kernel, read_fitted, to_try
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_knn.ridge import Ridge
from unprompt_knn.vit_h import VitHOptions
from unprompt_painter.painter import Painter, PainterOptions

from .knn_fits import fitted, neighbours_of, number_of

CLIP_A = {"folder": "package:unprompt_painter/checkpoints/clip-a"}


def problem(sharp: float) -> tuple[PromptBank, FloatArray, FloatArray]:
    """Targets that really are the softmax mean of a bank at temperature ``sharp``."""
    rng = np.random.default_rng(0)
    keys = unit(rng.standard_normal((200, 16), dtype=np.float32))
    rows = unit(rng.standard_normal((200, 24), dtype=np.float32))
    bank = PromptBank.of([f"prompt {i}" for i in range(200)], rows, keys)
    queries = unit(rng.standard_normal((50, 16), dtype=np.float32))
    cosines, near = bank.search_keys(queries, 200)
    shares = Softmax(temperature=sharp).shares(cosines, near, keys)
    return bank, queries, unit(np.einsum("nk,nkd->nd", shares, bank.targets[near]))


@pytest.mark.parametrize("sharp", [4.0, 8.0, 16.0])
def test_it_finds_the_temperature_that_made_the_targets(sharp: float) -> None:
    bank, queries, targets = problem(sharp)
    choice = fitted(bank, queries, targets, 200, Softmax(fit=50))
    assert number_of(choice) == pytest.approx(sharp, rel=0.25)


@pytest.mark.parametrize("penalty", Ridge.tried[1::2])
def test_it_finds_the_penalty_that_made_the_targets(penalty: float) -> None:
    bank, queries, _ = problem(8.0)
    made = Ridge(penalty=penalty)
    cosines, near = bank.search_keys(queries, 60)
    summed = np.einsum("nk,nkd->nd", made.shares(cosines, near, bank.keys), bank.targets[near])
    choice = fitted(bank, queries, unit(summed), 60, Ridge(fit=50), near_duplicate=1.1)
    assert choice == Fitted(kernel=Ridge(fit=50, penalty=penalty), neighbours=60)


def test_an_images_own_prompt_in_the_bank_does_not_sharpen_the_kernel() -> None:
    bank, queries, targets = problem(8.0)
    with_own = PromptBank.of(
        [*bank.prompts, *(f"own {i}" for i in range(50))],
        np.concatenate([bank.targets, targets]),
        np.concatenate([bank.keys, queries]),  # at cosine 1: any sharp kernel would take it
    )
    alone = number_of(fitted(bank, queries, targets, 60, Softmax(fit=50)))
    other = number_of(fitted(with_own, queries, targets, 60, Softmax(fit=50)))
    assert other == pytest.approx(alone, rel=0.5)
    assert other < max(Softmax.tried) / 10
    # Where the splits part such prompts, a test image meets them too: they count.
    sharp = number_of(fitted(with_own, queries, targets, 60, Softmax(fit=50), near_duplicate=1.1))
    assert sharp > 2 * other


def test_without_any_other_prompt_there_is_nothing_to_choose_by() -> None:
    _, queries, targets = problem(8.0)
    own = PromptBank.of([f"own {i}" for i in range(50)], targets[:1].repeat(50, 0), queries)
    assert fitted(own, queries[:1], targets[:1], 10, Softmax(fit=50)) is None


def test_without_any_other_prompt_the_given_temperature_stays(tmp_path: Path) -> None:
    kernel = {"name": "softmax", "temperature": 33.0, "fit": 8}
    options = KnnOptions.model_validate({"backbone": CLIP_A, "kernel": kernel})
    train = example_train_set()
    alike = Embeddings(train.targets.ids, train.targets.rows[:1].repeat(len(train), 0))
    predictor = Knn(options, Runtime())
    same = replace(train, targets=alike, text_encoder=_Same(alike.rows[0]))
    predictor.prepare(same, tmp_path)
    assert json.loads((tmp_path / "kernel.json").read_text()) == {"temperature": 33.0}


class _Same(HashedWords):
    """A text encoder that has one row for all texts."""

    def __init__(self, row: FloatArray) -> None:
        self._row = row

    def encode(self, texts: Sequence[str]) -> FloatArray:
        return np.tile(self._row, (len(texts), 1))


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (Softmax(temperature=Softmax.tried[12]), 40),
        (Power(power=16.0), 20),
        (Rank(decay=32.0), 80),
        (Ridge(penalty=Ridge.tried[2]), 20),
    ],
)
def test_it_finds_the_kernel_and_how_many_neighbours_made_the_targets(
    made: Kernel, count: int
) -> None:
    bank, queries, _ = problem(8.0)
    near = neighbours_of(bank, queries, count)
    targets = near.summed(near.shares(made, 0.0), None)
    choice = fitted(bank, queries, targets, 80, Auto(), near_duplicate=1.1)
    assert choice == Fitted(kernel=made, neighbours=count)


def test_only_the_kernels_that_are_named_are_tried() -> None:
    tried = to_try(Auto(among=("rank", "power")), 40)
    assert {choice.kernel.name for choice in tried} == {"rank", "power"}
    assert {choice.neighbours for choice in tried} == {40, 20, 10, 5}
    assert [choice.neighbours for choice in to_try(Softmax(fit=3), 7)] == [7] * 25


def test_a_chosen_kernel_is_kept_and_used(tmp_path: Path) -> None:
    options = KnnOptions.model_validate(
        {"backbone": CLIP_A, "neighbours": 20, "kernel": {"name": "auto", "fit": 12}}
    )
    predictor = Knn(options, Runtime())
    predictor.prepare(example_train_set(), tmp_path)
    kept = json.loads((tmp_path / "kernel.json").read_text())
    assert kept["neighbours"] in (20, 10, 5)
    predictor.load(tmp_path)
    (batch,) = predictor.predict(example_images())
    written = options.model_copy(
        update={
            "kernel": KnnOptions.model_validate({"backbone": CLIP_A, **kept}).kernel,
            "neighbours": kept["neighbours"],
        }
    )
    plain = Knn(written, Runtime())
    plain.load(tmp_path)
    (same,) = plain.predict(example_images())
    np.testing.assert_array_equal(batch.embeddings.rows, same.embeddings.rows)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"kernel": {"name": "rank"}, "neighbours": 21}',
        '{"kernel": {"name": "power"}, "neighbours": 5}',
        '{"kernel": {"name": "rank", "decay": -1}, "neighbours": 5}',
        '{"kernel": {"name": "auto"}, "neighbours": 5}',
        '{"temperature": 3}',
    ],
)
def test_a_damaged_choice_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kernel.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_fitted(path, Auto(among=("rank",)), 20)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: ")


def _train(count: int, encoder: object) -> TrainSet:
    world = Painter(PainterOptions(seed=12, images=max(count, 1)))
    records = world.records()[:count]
    ids = tuple(record.image_id for record in records)
    rng = np.random.default_rng(0)
    rows = unit(rng.standard_normal((count, 384), dtype=np.float32))
    images = Images(ids, world.images().source)
    return TrainSet(records, images, Embeddings(ids, rows), encoder)  # type: ignore[arg-type]


class _Rows:
    """A text encoder of random rows."""

    dim = 384

    def encode(self, texts: list[str]) -> object:
        rng = np.random.default_rng(1)
        return unit(rng.standard_normal((len(texts), 384), dtype=np.float32))


def test_a_fitted_kernel_is_kept_with_the_bank(tmp_path: Path) -> None:
    options = VitHOptions.model_validate(
        {"backbone": CLIP_A, "neighbours": 5, "kernel": {"name": "softmax", "fit": 8}}
    )
    predictor = Knn(options, Runtime())
    predictor.prepare(_train(20, _Rows()), tmp_path)
    kept = json.loads((tmp_path / "kernel.json").read_text())
    assert kept["temperature"] in Softmax.tried
    predictor.load(tmp_path)
    assert predictor._fitted.kernel == Softmax(temperature=kept["temperature"], fit=8)
    predictor.close()


def test_nothing_to_fit_on_is_one_clear_line(tmp_path: Path) -> None:
    table = tmp_path / "prompts.csv"
    table.write_text("prompt\na red fox\n")
    options = VitHOptions.model_validate(
        {"backbone": CLIP_A, "bank": {"prompts": str(table)}, "kernel": {"fit": 8}}
    )
    with pytest.raises(DataError, match=r"^`kernel.fit` has no images to go by: "):
        Knn(options, Runtime()).prepare(_train(0, _Rows()), tmp_path)
