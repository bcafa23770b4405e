"""Members that search a bank on disk, and prompts that are embedded once for all members."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import ConfigError, DataError, Predictor, Runtime, unit
from unprompt._data.space import TextSpace
from unprompt.bank import BankConfig, PromptBank, index_bank
from unprompt.bank.store import BankBackbone, BankSource, StoredBank, halved, writing_bank
from unprompt.testing import HashedWords, example_images, example_train_set
from unprompt.towers import ClipTowers, FolderSource
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_text_map.mapper import TextMap
from unprompt_text_map.options import TextMapOptions

CLIP = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
PROMPTS = [f"{what} {i} in the {where}" for i in range(9) for what, where in
           (("a red fox", "wood"), ("two owls", "night"), ("a snail", "rain"))]  # fmt: skip
COUNTS = [1 + i % 4 for i in range(len(PROMPTS))]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Each prompt as often as it counts."""
    path = tmp_path / "prompts.csv"
    lines = [text for text, count in zip(PROMPTS, COUNTS, strict=True) for _ in range(count)]
    path.write_text("\n".join(["prompt", *lines]) + "\n")
    return path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    source = FolderSource.model_validate(CLIP)
    keys = ClipTowers(source, Runtime(), "test").texts(PROMPTS)
    encoder = HashedWords()
    backbone = BankBackbone(
        identity=ClipTowers.identity(source, Runtime(), "test"),
        source=CLIP,
        dim=keys.shape[1],
        precision="float32",
    )
    space = TextSpace(plugin="words", identity=encoder.identity)
    with writing_bank(tmp_path / "bank", space, encoder.dim, backbone, shard_rows=10) as bank:
        targets = halved(encoder.encode(PROMPTS), "words")
        bank.add(PROMPTS, COUNTS, targets, halved(keys, "clip"))
        rows = len(PROMPTS)
        bank.close([BankSource(name="x", kind="lines", sha256="0", read=rows, kept=rows)], [])
    return tmp_path / "bank"


class Remembering(HashedWords):
    """Remembers what it encodes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return super().encode(texts)


def rows(predictor: Predictor, folder: Path, train: Any = None) -> tuple[Any, list[list[str]]]:
    folder.mkdir()
    predictor.prepare(train or example_train_set(), folder)
    predictor.load(folder)
    batches = list(predictor.predict(example_images()))
    predictor.close()
    found = [[piece.text for piece in line] for batch in batches for line in batch.evidence]
    return np.concatenate([batch.embeddings.rows for batch in batches]), found


def knn(bank: dict[str, Any], **more: Any) -> Knn:
    options = {"backbone": CLIP, "bank": bank, "neighbours": 6, **more}
    return Knn(KnnOptions.model_validate(options), Runtime(text_encoder=HashedWords()))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"kernel": {"name": "ridge"}},
        {"count_power": 1.0},
        {"center": True},
        {"exclude_exact": True},
    ],
    ids=str,
)
def test_a_bank_on_disk_predicts_what_the_table_does(
    more: dict[str, Any], table: Path, stored: Path, tmp_path: Path
) -> None:
    expected, texts = rows(knn({"prompts": str(table)}, **more), tmp_path / "a")
    predicted, found = rows(knn({"folder": str(stored)}, **more), tmp_path / "b")
    np.testing.assert_allclose(predicted, expected, atol=5e-3)  # keys and targets have 16 bits
    same = [set(one) == set(other) for one, other in zip(texts, found, strict=True)]
    assert sum(same) > len(same) / 2
    written = {path.name for path in (tmp_path / "b").iterdir()}
    rows_are_in_it = "center" in more  # which changes every key
    assert ("bank.safetensors" in written, "bank.json" in written) == (
        rows_are_in_it,
        not rows_are_in_it,
    )


def test_a_bank_on_disk_is_not_encoded(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("its keys are there")

    monkeypatch.setattr(ClipTowers, "texts", never)
    encoder = Remembering()
    rows(knn({"folder": str(stored)}), tmp_path / "a", example_train_set(encoder))
    assert not set(encoder.texts) & set(PROMPTS)


def test_a_member_searches_by_an_index(stored: Path, tmp_path: Path) -> None:
    exact, _ = rows(knn({"folder": str(stored)}), tmp_path / "a")
    index_bank(stored, "SQ8", count=5)
    indexed = {"folder": str(stored), "index": "SQ8"}
    predicted, _ = rows(knn(indexed), tmp_path / "b")
    np.testing.assert_allclose(predicted, exact, atol=1e-6)  # the shortlist is the whole bank
    asked, plain = knn(indexed), knn({"folder": str(stored)}).options
    asked.check_prepared(plain)  # nothing was searched for when it was prepared
    asked.load(tmp_path / "a")
    fitted = {"kernel": {"name": "softmax", "fit": 3}}
    with pytest.raises(ConfigError):
        knn(indexed, **fitted).check_prepared(knn({"folder": str(stored)}, **fitted).options)


def test_a_bank_in_memory_is_searched_as_one_on_disk_is(stored: Path) -> None:
    bank = BankConfig.model_validate({"folder": str(stored)}).on_disk(None, None, Runtime())
    assert bank is not None
    memory = bank.in_memory()
    twice = PromptBank.of(
        [*memory.prompts, *memory.prompts],
        np.concatenate([memory.targets] * 2),
        np.concatenate([memory.keys] * 2),
    )
    queries = unit(np.random.default_rng(3).normal(size=(20, memory.keys.shape[1])))
    products = queries.astype(np.float64) @ twice.keys.T.astype(np.float64)
    order = np.argsort(-products.astype(np.float32), axis=1, kind="stable")[:, :9]
    cosines, numbers = twice.search_keys(queries, 9)
    np.testing.assert_array_equal(numbers, order)  # equal ones by their numbers
    expected = np.take_along_axis(products, order, axis=1)
    np.testing.assert_allclose(cosines, expected, atol=1e-7)
    disk = bank.search_keys(queries, 5)
    np.testing.assert_allclose(disk[0], memory.search_keys(queries, 5)[0], atol=1e-3)
    (near,) = twice.nearest(twice.targets[:1], 2)
    assert [(piece.text, piece.kind) for piece in near] == [(memory.prompts[0], "nearest")] * 2
    assert [piece.score for piece in near] == pytest.approx([1, 1], abs=1e-6)
    assert len(twice.nearest(twice.targets[:2], 10**6)[1]) == len(twice)


def test_text_map_is_fitted_to_the_rows_of_a_bank_on_disk(
    table: Path, stored: Path, tmp_path: Path
) -> None:
    def mapped(bank: dict[str, str]) -> TextMap:
        options = TextMapOptions.model_validate({"backbone": CLIP, "bank": bank})
        return TextMap(options, Runtime(text_encoder=HashedWords()))

    expected, _ = rows(mapped({"prompts": str(table)}), tmp_path / "a")
    predicted, _ = rows(mapped({"folder": str(stored)}), tmp_path / "b")
    assert np.einsum("nd,nd->n", expected, predicted).min() > 0.99


def test_keys_are_embedded_once_for_members_with_other_options(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    encoded: list[str] = []
    right = ClipTowers.texts

    def texts(self: ClipTowers, texts: Sequence[str], **more: Any) -> Any:
        encoded.extend(texts)
        return right(self, texts, **more)

    monkeypatch.setattr(ClipTowers, "texts", texts)
    bank: dict[str, Any] = {"prompts": str(table)}
    first, _ = rows(knn(bank), tmp_path / "a")
    assert sorted(encoded) == sorted(PROMPTS)
    again, _ = rows(knn(bank), tmp_path / "b")
    rows(knn(bank, neighbours=3, kernel={"name": "ridge"}), tmp_path / "c")
    rows(knn({**bank, "duplicates": True}), tmp_path / "d")
    assert sorted(encoded) == sorted(PROMPTS)
    np.testing.assert_array_equal(again, first)
    other = {"folder": "package:unprompt_painter/checkpoints/clip-a"}
    rows(knn(bank, backbone=other), tmp_path / "e")
    assert len(encoded) == 2 * len(PROMPTS)


def test_members_of_two_families_share_keys_part_by_part(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("unprompt.bank.keys.PART", 10)
    encoded: list[list[str]] = []
    right = ClipTowers.texts

    def texts(self: ClipTowers, texts: Sequence[str], **more: Any) -> Any:
        encoded.append(list(texts))
        return right(self, texts, **more)

    monkeypatch.setattr(ClipTowers, "texts", texts)
    options = TextMapOptions.model_validate({"backbone": CLIP, "bank": {"prompts": str(table)}})
    rows(TextMap(options, Runtime(text_encoder=HashedWords())), tmp_path / "a")
    assert encoded == [PROMPTS[:10], PROMPTS[10:20], PROMPTS[20:]]
    predicted, _ = rows(knn({"prompts": str(table)}), tmp_path / "b")
    assert len(encoded) == 3
    whole = right(ClipTowers(FolderSource.model_validate(CLIP), Runtime(), "test"), PROMPTS)
    kept = PromptBank.read(tmp_path / "b")
    assert kept.prompts == tuple(PROMPTS)
    np.testing.assert_allclose(kept.keys, whole, atol=1e-6)
    assert len(predicted) == len(example_images())


def test_an_artifact_whose_bank_was_built_again_is_refused(stored: Path, tmp_path: Path) -> None:
    rows(knn({"folder": str(stored)}), tmp_path / "a")
    assert StoredBank.open(stored).manifest.counted == sum(COUNTS)
    manifest = stored / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "x"', '"name": "y"'))
    predictor = knn({"folder": str(stored)})
    with pytest.raises(DataError, match=r"bank: is not the bank that .*a was made with"):
        predictor.load(tmp_path / "a")
