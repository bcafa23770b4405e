"""The text encoder minilm against the competition's published numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from unprompt import Location, MissingFileError, Runtime, cosine
from unprompt._builtin.minilm import OFFICIAL_SHA256, MiniLM, MiniLMOptions
from unprompt._encoding.packed import PackedBert
from unprompt.types import FloatArray

KAGGLE = Path(__file__).parent.parent / "data_kaggle"


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    return MiniLM(MiniLMOptions(), Runtime())


def _prompts() -> dict[str, str]:
    with (KAGGLE / "prompts.csv").open(encoding="utf-8", newline="") as file:
        return {row["imgId"]: row["prompt"] for row in csv.DictReader(file)}


def test_the_seven_public_prompts_give_the_published_values(encoder: MiniLM) -> None:
    prompts = _prompts()
    published = json.loads((KAGGLE / "first_values.json").read_text(encoding="utf-8"))
    assert list(prompts) == list(published)
    assert len(prompts) == 7
    rows = encoder.encode(list(prompts.values()))
    assert rows.shape == (7, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, :8], list(published.values()), rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_a_row_depends_on_its_text_alone(encoder: MiniLM) -> None:
    texts = ["a cat", "a long prompt, " * 9, "", "ein Hund, 犬"]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(texts[::-1]), together[::-1], atol=1e-5)


TEXTS = ("a red fox in the snow, oil painting, 4k", "fox", "", "Ein Hut, 狐", "a castle, " * 300)


def test_rows_are_those_of_the_library(encoder: MiniLM) -> None:
    theirs = encoder._model.encode([*TEXTS], normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), theirs, rtol=0, atol=1e-6)


def test_fast_rows_are_near_to_those_of_the_library(
    encoder: MiniLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = encoder._model.encode([*TEXTS], normalize_embeddings=True)
    monkeypatch.setattr("unprompt._builtin.minilm.resolve_precision", lambda *_: "bfloat16")
    fast = encoder.fast()
    assert fast is not None
    assert (fast.dim, fast.identity) == (384, f"{encoder.identity} in bfloat16")
    rows = fast.encode([*TEXTS, TEXTS[0]])
    assert rows.dtype == np.float32
    assert cosine(rows[:-1], theirs).min() >= 0.9995
    np.testing.assert_array_equal(rows[-1], rows[0])
    assert not np.array_equal(rows[:-1], encoder.encode(TEXTS))


def test_without_bfloat16_there_is_no_fast_encoder(
    encoder: MiniLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unprompt._builtin.minilm.resolve_precision", lambda *_: "float32")
    assert encoder.fast() is None


def test_each_distinct_text_is_encoded_once(
    encoder: MiniLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rows_of = MiniLM._packed_rows

    def counted(self: MiniLM, texts: list[str], model: PackedBert) -> FloatArray:
        seen.extend(texts)
        return rows_of(self, texts, model)

    monkeypatch.setattr(MiniLM, "_packed_rows", counted)
    rows = encoder.encode(["fox", "a hat", "fox"])
    assert seen == ["fox", "a hat"]
    np.testing.assert_array_equal(rows[2], rows[0])


def test_a_model_that_cannot_be_packed_is_left_to_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = MiniLM(MiniLMOptions(), Runtime())
    monkeypatch.setattr("unprompt._builtin.minilm.fits", lambda model: False)
    theirs = encoder._model.encode([*TEXTS], normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), theirs, rtol=0, atol=1e-6)


def test_similar_prompts_have_a_higher_cosine_than_others(encoder: MiniLM) -> None:
    a, b, c = encoder.encode(["a red fox in the snow", "fox, red, snowy", "tax return form"])
    assert cosine([a], [b])[0] > 0.7
    assert cosine([a], [c])[0] < 0.3


def test_the_identity_contains_the_hash_of_the_model() -> None:
    encoder = MiniLM(MiniLMOptions(), Runtime())
    assert OFFICIAL_SHA256 in encoder.identity
    assert encoder.dim == 384


def test_another_model_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    options = MiniLMOptions(folder=Location.of(str(tmp_path)))
    with pytest.raises(MissingFileError) as caught:
        MiniLM(options, Runtime()).encode(["x"])
    (line,) = caught.value.problems
    assert f"{tmp_path}/model.safetensors has SHA-256 ba7816bf" in line
    assert line.endswith(f"not {OFFICIAL_SHA256}")


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    options = MiniLMOptions(folder=Location.of(str(tmp_path / "gone")))
    with pytest.raises(MissingFileError) as caught:
        MiniLM(options, Runtime()).encode(["x"])
    assert caught.value.problems == (
        f"text encoder 'minilm': no file {tmp_path}/gone/model.safetensors",
    )
