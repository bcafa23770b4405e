"""Option `queries: captions`: captions as parts of queries and as neighbours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import DataError, Images, Runtime, unit
from unprompt.bank import PromptBank
from unprompt.testing import HashedWords, example_images, example_train_set
from unprompt_blip.captioner import Captioner
from unprompt_knn.captions import CaptionWriter
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_knn.queries import CaptionQueries

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
Options = Callable[..., KnnOptions]


@pytest.fixture
def options(blip: Path) -> Options:
    def make(center: bool = False, **captions: Any) -> KnnOptions:
        captioner = {"folder": str(blip), "max_tokens": 6}
        queries = {"name": "captions", "captioner": captioner, **captions}
        given = {"backbone": CLIP, "neighbours": 5, "center": center, "queries": queries}
        return KnnOptions.model_validate(given)

    return make


def member(folder: Path, given: KnnOptions) -> Knn:
    made = Knn(given, Runtime(text_encoder=HashedWords()))
    made.prepare(example_train_set(), folder)
    made.load(folder)
    return made


def written(given: KnnOptions, images: Images) -> list[str]:
    """The captions, by the captioner itself."""
    assert isinstance(given.queries, CaptionQueries)
    captions = Captioner(given.queries.captioner, Runtime()).captions(images)
    return [captions[name] for name in images.ids]


@pytest.mark.parametrize(
    ("part", "join", "center"), [(0.5, True, True), (0.3, False, False), (1.0, True, False)]
)
def test_a_caption_is_a_part_of_the_query_and_a_neighbour(
    part: float, join: bool, center: bool, options: Options, tmp_path: Path
) -> None:
    given, images = options(center, part=part, join=join), example_images()
    made = member(tmp_path, given)
    (batch,) = made.predict(images)
    texts = written(given, images)
    assert all(texts) and len(set(texts)) > 1
    prompts = [record.prompt for record in example_train_set().records]
    raw, seen = made.clip.texts(prompts), made.clip.texts(texts)
    keys = raw
    (queries,) = (rows for _, rows in made.queries.batches(images, what=""))
    if center:
        learned = example_train_set().images
        mean = np.concatenate([rows for _, rows in made.queries.batches(learned, what="")])
        queries = unit(queries - mean.mean(axis=0))
        keys, seen = unit(raw - raw.mean(axis=0)), unit(seen - raw.mean(axis=0))
    bank, targets = PromptBank.read(tmp_path), HashedWords().encode(texts)
    np.testing.assert_allclose(bank.keys, keys, atol=1e-6)
    for number, row in enumerate(batch.embeddings.rows):
        query = unit([(1 - part) * queries[number] + part * seen[number]])[0]
        cosines, rows = keys @ query, bank.targets
        if join:
            cosines = np.append(cosines, seen[number] @ query)
            rows = np.vstack([rows, targets[number]])
        near = np.argsort(-cosines, kind="stable")[:5]
        sum_of = np.exp(20 * cosines[near].astype(np.float64)) @ rows[near]
        wanted = sum_of / np.linalg.norm(sum_of)
        np.testing.assert_allclose(row, wanted, atol=1e-4)
    made.close()


def test_part_and_join_can_be_searched(options: Options, tmp_path: Path) -> None:
    made = member(tmp_path, options())
    other = options(part=0.2, join=False)
    ((varied, same),) = made.predict_variants(example_images(), [other, made.options])
    (batch,) = made.predict(example_images())
    np.testing.assert_allclose(same.rows, batch.embeddings.rows, atol=1e-6)
    changed = Knn(other, made.runtime)
    changed.load(tmp_path)
    (wanted,) = changed.predict(example_images())
    np.testing.assert_allclose(varied.rows, wanted.embeddings.rows, atol=1e-6)


def test_an_image_without_a_caption_is_searched_by_itself(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(self: Captioner, images: Images) -> dict[str, str]:
        return dict.fromkeys(images.ids, "")

    monkeypatch.setattr(Captioner, "captions", nothing)
    made = member(tmp_path, options())
    (batch,) = made.predict(example_images())
    plain = Knn(KnnOptions.model_validate({"backbone": CLIP, "neighbours": 5}), Runtime())
    plain.load(tmp_path)
    (wanted,) = plain.predict(example_images())
    np.testing.assert_allclose(batch.embeddings.rows, wanted.embeddings.rows, atol=1e-6)


def test_the_captioner_is_needed_counted_and_part_of_the_identity(options: Options) -> None:
    plain = Knn(KnnOptions.model_validate({"backbone": CLIP}), Runtime())
    with_captions = Knn(options(), Runtime())
    assert len(with_captions.needs()) > len(plain.needs())
    assert set(with_captions.towers()) == {"CLIP", "captioner"}
    assert "captions" in with_captions.identity()
    content, code = CaptionWriter.identity(options().queries, Runtime())  # type: ignore[arg-type]
    assert content and len(str(code)) == 64


def test_a_name_alone_is_the_default_captioner() -> None:
    given = KnnOptions.model_validate({"backbone": CLIP, "queries": "captions"})
    assert given.queries == CaptionQueries()
    same = KnnOptions.model_validate(given.model_dump(mode="json"))
    assert same == given


def test_captions_need_a_text_encoder(options: Options, tmp_path: Path) -> None:
    made = Knn(options(), Runtime())
    made.prepare(example_train_set(), tmp_path)
    made.load(tmp_path)
    with pytest.raises(DataError, match=r"^`queries: captions` needs a text encoder"):
        next(made.predict(example_images()))


def test_captions_and_rerank_go_together(options: Options, tmp_path: Path) -> None:
    given = KnnOptions.model_validate(
        options().model_dump(mode="json")
        | {"rerank": {"backbone": {"folder": "package:unprompt_painter/checkpoints/clip-a"}}}
    )
    made = member(tmp_path, given)
    (batch,) = made.predict(example_images())
    texts = written(given, example_images())
    shown = [{piece.text for piece in pieces} for pieces in batch.evidence]
    assert any(text in pieces for text, pieces in zip(texts, shown, strict=True))
