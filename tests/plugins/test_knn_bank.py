"""The prompts of a bank: each once or as often as its table has it, and few in a dry run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt.bank import BankConfig, PromptBank
from unprompt.bank.source import DRY_RUN
from unprompt.contracts import Runtime
from unprompt.testing import example_images, example_train_set
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
PROMPTS = ["a red fox", "a blue owl", "a red fox", "a green snail", "a red fox"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.csv"
    path.write_text("\n".join(["prompt", *PROMPTS]) + "\n")
    return path


def texts(table: Path, **given: Any) -> list[str]:
    config = BankConfig.model_validate({"prompts": str(table), **given})
    return config.texts(example_train_set(), Runtime())


def test_a_repeated_prompt_is_in_the_bank_once_or_as_often_as_in_the_table(table: Path) -> None:
    assert texts(table) == ["a red fox", "a blue owl", "a green snail"]
    assert texts(table, duplicates=True) == PROMPTS


def predicted(table: Path, folder: Path, **given: Any) -> tuple[Any, PromptBank]:
    options = KnnOptions.model_validate(
        {
            "backbone": CLIP,
            "bank": {"prompts": str(table), **given},
            "kernel": {"name": "power"},
            "evidence": 2,
        }
    )
    predictor = Knn(options, Runtime())
    folder.mkdir()
    predictor.prepare(example_train_set(), folder)
    predictor.load(folder)
    (batch,) = predictor.predict(example_images())
    bank = predictor.bank
    predictor.close()
    assert isinstance(bank, PromptBank)  # of a table, not one on disk
    return batch, bank


def test_a_repeated_prompt_counts_as_often_and_is_shown_once(table: Path, tmp_path: Path) -> None:
    many, bank = predicted(table, tmp_path / "many", duplicates=True)
    once, single = predicted(table, tmp_path / "once")
    assert bank.prompts == tuple(PROMPTS)
    np.testing.assert_array_equal(bank.keys[[0, 0]], bank.keys[[2, 4]])
    np.testing.assert_array_equal(bank.targets[[0, 0]], bank.targets[[2, 4]])
    shares = single_shares(once)
    for row, evidence, share in zip(many.embeddings.rows, many.evidence, shares, strict=True):
        # Three times the share of the one that is there three times, then divided by the sum.
        weights = np.array(
            [share[text] * (3 if text == "a red fox" else 1) for text in single.prompts]
        )
        wanted = (weights[:, None] * single.targets).sum(axis=0)
        np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-5)
        assert evidence[0].text == "a red fox" and len({e.text for e in evidence}) == 2
        assert evidence[0].score == pytest.approx(weights[0] / weights.sum(), abs=1e-5)


def single_shares(batch: Any) -> list[dict[str, float]]:
    """Shares of all three prompts: two are shown, and they add up to 1."""
    shares = []
    for evidence in batch.evidence:
        known = {piece.text: piece.score for piece in evidence}
        (rest,) = set(PROMPTS) - set(known)
        shares.append({**known, rest: 1 - sum(known.values())})
    return shares


@pytest.mark.parametrize("here", [True, False])
def test_a_dry_run_embeds_a_few_prompts_and_reads_no_table(here: bool, table: Path) -> None:
    if not here:
        table.unlink()
    config = BankConfig.model_validate({"prompts": str(table), "duplicates": True})
    train = example_train_set()
    taken = config.texts(train, Runtime(dry_run=True))
    assert taken == [record.prompt for record in train.records][:DRY_RUN]


def test_a_dry_run_with_many_images_embeds_no_more(tmp_path: Path) -> None:
    from dataclasses import replace

    train = example_train_set()
    record = train.records[0]
    many = tuple(replace(record, prompt=f"number {i}") for i in range(50))
    taken = BankConfig().texts(replace(train, records=many), Runtime(dry_run=True))
    assert taken == [f"number {i}" for i in range(8)]
