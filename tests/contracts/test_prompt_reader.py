"""A family that reads: rows where a prompt was read, zero rows elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt import ConfigError, Images, Model, PromptReader, Reading, Runtime, folder_images
from unprompt.testing import HashedWords


class Nothing(Model):
    """No options."""


class SideFiles(PromptReader):
    """Reads ``NAME.txt`` beside ``NAME.png``."""

    def read(self, images: Images) -> Iterator[Reading]:
        for name in images.ids:
            path = images.path(name)
            side = path.with_suffix(".txt") if path else None
            if side and side.exists():
                yield Reading(name, side.read_text(encoding="utf-8"), "side file")
            else:
                yield Reading(name)


@pytest.fixture
def images(tmp_path: Path) -> Images:
    for name in ("a", "b", "c"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("a red wall", encoding="utf-8")
    (tmp_path / "c.txt").write_text("a blue wall", encoding="utf-8")
    return folder_images([tmp_path])


@pytest.mark.parametrize("size", [1, 2, 64])
def test_what_is_read_is_embedded_and_the_rest_abstains(images: Images, size: int) -> None:
    encoder = HashedWords()
    reader = SideFiles(Nothing(), Runtime(batch_size=size, text_encoder=encoder))
    batches = list(reader.predict(images))
    rows = {n: r for b in batches for n, r in zip(b.embeddings.ids, b.embeddings.rows, strict=True)}
    texts = {n: p for b in batches for n, p in zip(b.embeddings.ids, b.prompts, strict=True)}
    reasons = {n: e for b in batches for n, e in zip(b.embeddings.ids, b.evidence, strict=True)}
    assert texts == {"a": "a red wall", "b": None, "c": "a blue wall"}
    expected = encoder.encode(["a red wall", "a blue wall"])
    np.testing.assert_array_equal(np.stack([rows["a"], rows["c"]]), expected)
    assert not rows["b"].any()
    assert reasons["b"] == ()
    assert [(e.text, e.score, e.kind) for e in reasons["a"]] == [
        ("a red wall", 1.0, "read (side file)")
    ]


def test_it_needs_a_text_encoder(images: Images) -> None:
    with pytest.raises(ConfigError, match="text encoder"):
        next(SideFiles(Nothing(), Runtime()).predict(images))
