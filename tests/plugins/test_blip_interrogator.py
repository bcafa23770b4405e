"""The interrogator end to end, with a small BLIP and a small CLIP of random parameters."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt.contracts import Batch, Images, Runtime
from unprompt.errors import DataError, MissingFileError
from unprompt.testing import (
    HashedWords,
    PredictorContract,
    Prepared,
    example_images,
    example_train_set,
    make_prepared,
)
from unprompt.towers import ClipTowers
from unprompt_blip.captioner import Captioner
from unprompt_blip.interrogator import Interrogator
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.sources import FolderCaptioner


def options(clip: Path, **given: Any) -> InterrogatorOptions:
    return InterrogatorOptions.model_validate({"backbone": {"folder": str(clip)}, **given})


def predicted(prepared: Prepared, images: Images) -> list[Batch]:
    predictor = prepared.load(Runtime())
    try:
        return list(predictor.predict(images))
    finally:
        predictor.close()


# The contract


class TestCaptionAndTemplate(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, clip: Path, blip: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        given = options(clip, captioner={"folder": str(blip), "max_tokens": 6})
        return make_prepared(Interrogator, given, tmp_path_factory.mktemp("template"))

    def test_the_embedding_is_the_texts(self, prepared: Prepared) -> None:
        (batch,) = predicted(prepared, example_images())
        texts = [text or "" for text in batch.prompts]
        np.testing.assert_allclose(batch.embeddings.rows, HashedWords().encode(texts), atol=1e-6)
        assert len(set(texts)) > 1

    def test_the_text_starts_with_the_caption(self, prepared: Prepared, blip: Path) -> None:
        (batch,) = predicted(prepared, example_images())
        source = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 6})
        captions = Captioner(source, Runtime()).captions(example_images())
        assert any(captions.values())
        for name, text, pieces in zip(
            batch.embeddings.ids, batch.prompts, batch.evidence, strict=True
        ):
            assert text is not None and text.startswith(captions[name])
            if captions[name]:
                assert captions[name] in {piece.text for piece in pieces}


class TestPhrasesAlone(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        given = options(
            clip, captioner="none", mode="fast", max_phrases=4, views=["identity", "hflip"]
        )
        return make_prepared(Interrogator, given, tmp_path_factory.mktemp("fast"))

    def test_the_evidence_is_the_text(self, prepared: Prepared) -> None:
        (batch,) = predicted(prepared, example_images())
        for text, pieces in zip(batch.prompts, batch.evidence, strict=True):
            assert text == ", ".join(piece.text for piece in pieces[:4])


@pytest.mark.parametrize(
    ("mode", "own"),
    [
        ("caption", {}),
        ("classic", {}),
        ("best", {"max_phrases": 3, "candidates": 24}),
        ("negative", {"max_phrases": 3, "captioner": "none"}),
    ],
)
def test_the_other_modes(
    clip: Path, blip: Path, mode: str, own: dict[str, Any], tmp_path: Path
) -> None:
    captioner = {"folder": str(blip), "max_tokens": 6}
    given = options(clip, **{"captioner": captioner, "mode": mode, **own})
    prepared = make_prepared(Interrogator, given, tmp_path)
    images = example_images().select(("large", "grey", "black"))
    (batch,) = predicted(prepared, images)
    (alone,) = predicted(prepared, images.select(("grey",)))
    assert all(batch.prompts)
    assert alone.prompts[0] == batch.prompts[1]


# What is missing


def test_offline_the_file_to_fetch_is_named(tmp_path: Path, clip: Path) -> None:
    given = options(clip, captioner="nobody/no-such-captioner")
    predictor = Interrogator(given, Runtime(offline=True))
    with pytest.raises(
        MissingFileError, match=r"hf download nobody/no-such-captioner config\.json"
    ):
        predictor.identity()
    lacking = [need.what for need in predictor.needs() if not need.here]
    assert "model.safetensors of nobody/no-such-captioner" in lacking


def test_without_a_text_encoder_there_is_no_prediction(clip: Path, tmp_path: Path) -> None:
    made = make_prepared(Interrogator, options(clip, captioner="none"), tmp_path)
    predictor = made.load(Runtime())
    predictor.runtime = Runtime()
    with pytest.raises(DataError, match="needs a text encoder"):
        list(predictor.predict(example_images()))


# Identity, needs and dry runs


def test_identity_is_the_content(clip: Path, blip: Path, tmp_path: Path) -> None:
    def identity(**given: Any) -> Any:
        return Interrogator(options(clip, **given), Runtime()).identity()

    table = tmp_path / "flavors.txt"
    table.write_text("misty\n")
    given: dict[str, Any] = {"captioner": {"folder": str(blip)}, "tables": {"flavors": str(table)}}
    before = identity(**given)
    assert before == identity(**given)
    table.write_text("foggy\n")
    assert identity(**given) != before
    copied = tmp_path / "blip"
    shutil.copytree(blip, copied)
    table.write_text("misty\n")
    assert identity(**{**given, "captioner": {"folder": str(copied)}}) == before
    (copied / "config.json").write_text((blip / "config.json").read_text() + "\n")
    assert identity(**{**given, "captioner": {"folder": str(copied)}}) != before
    assert identity(captioner="none")["captioner"] is None


def test_needs_and_towers(clip: Path, blip: Path) -> None:
    predictor = Interrogator(options(clip, captioner={"folder": str(blip)}), Runtime())
    assert all(need.here for need in predictor.needs())
    assert len(predictor.needs()) == 6
    towers = predictor.towers()
    loaded = Captioner(FolderCaptioner.model_validate({"folder": str(blip)}), Runtime())
    assert set(towers) == {"CLIP", "captioner"}
    assert towers["captioner"] == sum(p.numel() for p in loaded._model.parameters())
    assert towers["CLIP"] == ClipTowers.parameters(options(clip).backbone, "test")
    assert set(Interrogator(options(clip, mode="negative"), Runtime()).towers()) == {"CLIP"}


def test_a_dry_run_needs_no_checkpoint(clip: Path, blip: Path, tmp_path: Path) -> None:
    for original in (clip, blip):
        shutil.copytree(original, tmp_path / original.name)
    (tmp_path / "clip" / "open_clip_model.safetensors").unlink()
    (tmp_path / "blip" / "model.safetensors").unlink()
    given = options(tmp_path / "clip", captioner={"folder": str(tmp_path / "blip")})
    runtime = Runtime(offline=True, dry_run=True, text_encoder=HashedWords())
    assert texts_of_dry_run(given, runtime, tmp_path / "artifact", ("large", "grey")) == 2


def texts_of_dry_run(
    given: InterrogatorOptions, runtime: Runtime, artifact: Path, ids: Sequence[str]
) -> int:
    """How many images a dry run gives texts for."""
    artifact.mkdir()
    predictor = Interrogator(given, runtime)
    assert predictor.identity()
    predictor.prepare(example_train_set(), artifact)
    predictor.load(artifact)
    batches = list(predictor.predict(example_images().select(tuple(ids))))
    predictor.close()
    return sum(bool(text) for batch in batches for text in batch.prompts)
