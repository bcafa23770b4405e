"""Captions sampled evenly: what the model says is likely is as frequent; and their mean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  # logits are its tensors
from pydantic import ValidationError

from unprompt.contracts import Runtime
from unprompt.testing import HashedWords, example_images, make_prepared
from unprompt_blip.captioner import Captioner
from unprompt_blip.interrogator import Interrogator
from unprompt_blip.samples import Samples
from unprompt_blip.sampling import EvenSampling
from unprompt_blip.sources import FolderCaptioner

from .test_blip_interrogator import options, predicted

LIKELY = torch.tensor([0.5, 0.0, 0.3, 0.2], dtype=torch.float64)


def sequences(count: int, length: int, images: int = 1) -> list[tuple[int, ...]]:
    """Tokens that are drawn where each has the same chances at every step."""
    sampling = EvenSampling(count)
    rows = count * images
    given = torch.empty((rows, 0), dtype=torch.int64)
    for _ in range(length):
        scores = sampling(given, LIKELY.log().repeat(rows, 1))
        assert (scores.isfinite().sum(1) == 1).all()
        given = torch.cat([given, scores.argmax(1, keepdim=True)], 1)
    return [tuple(row) for row in given.tolist()]


def test_tokens_are_as_frequent_as_they_are_likely() -> None:
    """Each step's, to within one of the samples: by chance, 64 of them would be off by four."""
    count = 64
    for tokens in zip(*sequences(count, 30), strict=True):
        drawn = Counter(tokens)
        for token in range(4):
            assert drawn[token] == pytest.approx(count * float(LIKELY[token]), abs=1)


def test_a_step_knows_nothing_of_the_one_before() -> None:
    """Pairs of tokens are as frequent as the product of their chances, to 4 standard errors."""
    rows = sequences(16, 400)
    pairs = Counter((row[i], row[i + 1]) for row in rows for i in range(0, 400, 2))
    count = 16 * 200
    for first in range(4):
        for second in range(4):
            wanted = float(LIKELY[first] * LIKELY[second])
            error = (wanted * (1 - wanted) / count) ** 0.5
            assert pairs[first, second] / count == pytest.approx(wanted, abs=4 * error)


def test_each_image_has_the_same_numbers() -> None:
    drawn = sequences(8, 5, images=3)
    assert drawn[:8] == drawn[8:16] == drawn[16:]
    assert len(set(drawn[:8])) > 4


def test_samples_do_not_depend_on_batch_or_order(blip: Path) -> None:
    images = example_images()
    config = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 6})
    made = [
        Captioner(config, Runtime(batch_size=size)).samples(some, 4)
        for size, some in ((1, images), (3, images.select(images.ids[::-1])), (64, images))
    ]
    assert made[0] == made[1] == made[2]
    assert {len(texts) for texts in made[0].values()} == {4}
    assert any(len(set(texts)) > 1 for texts in made[0].values())


def test_the_caption_is_the_nearest_to_all_and_the_row_their_mean() -> None:
    encoder = HashedWords()
    sampled = [["a red fox", "a red dog", "stars", ""], [], ["", "a cat"]]
    several = Samples.of(sampled, encoder)
    assert several.captions[1:] == ["", "a cat"]
    rows = encoder.encode(sampled[0][:3]).astype(float)
    nearness = [float(row @ (rows.sum(0) / np.linalg.norm(rows.sum(0)))) for row in rows]
    assert several.captions[0] == sampled[0][int(np.argmax(nearness))] != "stars"
    texts = encoder.encode(["one", "two", "three"]).astype(float)
    wanted = np.stack([texts[0] + rows.sum(0), texts[1], texts[2] + encoder.encode(["a cat"])[0]])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    joined = several.joined(encoder.encode(["one", "two", "three"]))
    np.testing.assert_allclose(joined, wanted, atol=1e-6)


def test_a_member_predicts_the_mean(clip: Path, blip: Path, tmp_path: Path) -> None:
    source = {"folder": str(blip), "max_tokens": 6}
    prepared = make_prepared(Interrogator, options(clip, captioner=source, samples=3), tmp_path)
    images = example_images()
    (batch,) = predicted(prepared, images)
    config = FolderCaptioner.model_validate(source)
    samples = Captioner(config, Runtime()).samples(images, 3)
    encoder = HashedWords()
    for name, row, text in zip(images.ids, batch.embeddings.rows, batch.prompts, strict=True):
        spoken = [sample for sample in samples[name] if sample]
        total = encoder.encode([text or "", *spoken]).astype(float).sum(0)
        np.testing.assert_allclose(row, total / np.linalg.norm(total), atol=1e-5)
        assert not spoken or str(text).startswith(tuple(spoken))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"captioner": "none"}, "without a `captioner`"),
        ({"captioner": {"beams": 2}}, "with `samples`"),
        ({"mode": "negative", "captioner": "none"}, "mode: negative"),
    ],
)
def test_samples_where_they_have_no_effect(given: dict[str, Any], message: str, clip: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        options(clip, samples=4, **given)
