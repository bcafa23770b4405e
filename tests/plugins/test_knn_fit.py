"""The kernel that fits itself: near-duplicates do not count, and the answer is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unprompt import DataError, Embeddings, Images, Runtime, TrainSet, unit
from unprompt.bank import PromptBank
from unprompt.types import FloatArray
from unprompt_knn.fit import fit
from unprompt_knn.kernel import Ridge, Softmax
from unprompt_knn.knn import Knn
from unprompt_knn.vit_h import VitHOptions
from unprompt_painter.painter import Painter, PainterOptions

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
    fitted = fit(bank, queries, targets, 200, Softmax(fit=50))
    assert fitted == {"temperature": pytest.approx(sharp, rel=0.25)}


@pytest.mark.parametrize("penalty", Ridge.tried[1::2])
def test_it_finds_the_penalty_that_made_the_targets(penalty: float) -> None:
    bank, queries, _ = problem(8.0)
    made = Ridge(penalty=penalty)
    cosines, near = bank.search_keys(queries, 60)
    summed = np.einsum("nk,nkd->nd", made.shares(cosines, near, bank.keys), bank.targets[near])
    fitted = fit(bank, queries, unit(summed), 60, Ridge(fit=50))
    assert fitted == {"penalty": penalty}


def test_an_images_own_prompt_in_the_bank_does_not_sharpen_the_kernel() -> None:
    bank, queries, targets = problem(8.0)
    with_own = PromptBank.of(
        [*bank.prompts, *(f"own {i}" for i in range(50))],
        np.concatenate([bank.targets, targets]),
        np.concatenate([bank.keys, queries]),  # at cosine 1: any sharp kernel would take it
    )
    alone = fit(bank, queries, targets, 60, Softmax(fit=50))["temperature"]
    fitted = fit(with_own, queries, targets, 60, Softmax(fit=50))["temperature"]
    assert fitted == pytest.approx(alone, rel=0.5)
    assert fitted < max(Softmax.tried) / 10
    # Where the splits part such prompts, a test image meets them too: they count.
    sharp = fit(with_own, queries, targets, 60, Softmax(fit=50), near_duplicate=1.1)["temperature"]
    assert sharp > 2 * fitted


def test_without_any_other_prompt_the_given_temperature_stays() -> None:
    _, queries, targets = problem(8.0)
    own = PromptBank.of([f"own {i}" for i in range(50)], targets[:1].repeat(50, 0), queries)
    kernel = Softmax(temperature=33.0, fit=50)
    assert fit(own, queries[:1], targets[:1], 10, kernel) == {"temperature": 33.0}


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
    assert predictor._kernel == Softmax(temperature=kept["temperature"], fit=8)
    predictor.close()


def test_nothing_to_fit_on_is_one_clear_line(tmp_path: Path) -> None:
    table = tmp_path / "prompts.csv"
    table.write_text("prompt\na red fox\n")
    options = VitHOptions.model_validate(
        {"backbone": CLIP_A, "bank": {"prompts": str(table)}, "kernel": {"fit": 8}}
    )
    with pytest.raises(DataError, match=r"^`kernel.fit` has no images to go by: "):
        Knn(options, Runtime()).prepare(_train(0, _Rows()), tmp_path)
