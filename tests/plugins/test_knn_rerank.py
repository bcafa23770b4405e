"""Options `rerank` and `exclude_exact`: a second look at neighbours, and neighbours left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import Batch, ConfigError, DataError, Images, Runtime, TrainSet, unit
from unprompt.testing import HashedWords, example_images, example_train_set
from unprompt.towers import ClipTowers, FolderSource, pixel_batches
from unprompt.types import FloatArray
from unprompt_knn.kernel import Softmax
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_knn.own import folded

FIRST = {"folder": "package:unprompt_painter/checkpoints/clip-b"}
SECOND = {"folder": "package:unprompt_painter/checkpoints/clip-a"}


def options(**given: Any) -> KnnOptions:
    return KnnOptions.model_validate({"backbone": FIRST, "neighbours": 4, **given})


def loaded(folder: Path, given: KnnOptions, train: TrainSet | None = None) -> Knn:
    member = Knn(given, Runtime(text_encoder=HashedWords()))
    member.prepare(train or example_train_set(), folder)
    member.load(folder)
    return member


def predicted(folder: Path, **given: Any) -> Batch:
    member = loaded(folder, options(**given))
    (batch,) = member.predict(example_images())
    member.close()
    return batch


class Written:
    """Both CLIPs' embeddings of the example prompts and images, by the towers themselves."""

    def __init__(self, center: bool = False) -> None:
        train, images = example_train_set(), example_images()
        self.prompts = [record.prompt for record in train.records]
        self.targets = HashedWords().encode(self.prompts)
        self.keys, self.queries = [], []
        self.plain: list[FloatArray] = []  # cosines as CLIP gives them
        for source in (FIRST, SECOND):
            clip = ClipTowers(FolderSource.model_validate(source), Runtime(), "test")
            keys, seen = clip.texts(self.prompts), self._seen(clip, images)
            self.plain.append(seen @ keys.T)
            if center:
                seen = unit(seen - self._seen(clip, train.images).mean(axis=0))
                keys = unit(keys - keys.mean(axis=0))
            self.keys.append(keys)
            self.queries.append(seen)

    @staticmethod
    def _seen(clip: ClipTowers, images: Images) -> FloatArray:
        parts = pixel_batches(images, clip.preprocess, Runtime(), what="")
        return np.concatenate([clip.images(pixels) for _, pixels in parts])

    def rows(self, candidates: int, mix: float, threshold: float = -2.0) -> FloatArray:
        """Predictions of softmax at 20 with K = 4."""
        rows = []
        for number, (one, two) in enumerate(zip(*self.queries, strict=True)):
            first, second = self.keys[0] @ one, self.keys[1] @ two
            plain = self.plain[1][number]
            near = np.argsort(-first)[:candidates]
            kept = [i for i in near if plain[i] > threshold] or [near[plain[near].argmax()]]
            cosines = (1 - mix) * first[kept] + mix * second[kept]
            order = np.argsort(-cosines)[:4]
            raw = np.exp(20 * cosines[order])
            rows.append(raw @ self.targets[np.array(kept)[order]])
        return unit(np.array(rows))


@pytest.mark.parametrize(
    ("candidates", "mix", "center"),
    [(None, 1.0, False), (16, 0.3, False), (6, 0.7, True), (4, 1.0, True), (12, 0.0, False)],
)
def test_neighbours_are_scored_again_by_the_second_backbone(
    candidates: int | None, mix: float, center: bool, tmp_path: Path
) -> None:
    rerank = {"backbone": SECOND, "mix": mix, "candidates": candidates}
    batch = predicted(tmp_path, rerank=rerank, center=center)
    wanted = Written(center).rows(candidates or 8, mix)
    np.testing.assert_allclose(batch.embeddings.rows, wanted, atol=1e-4)


def test_neighbours_below_the_threshold_are_left_out_but_for_the_best(tmp_path: Path) -> None:
    written = Written(center=True)
    near = np.argsort(-written.keys[0] @ written.queries[0].T, axis=0)[:8]  # (8, n)
    seen = np.take_along_axis(written.plain[1].T, near, axis=0)
    between = float(np.sort(seen.max(axis=0))[2])  # some images lose all but one, others few
    assert (seen > between).sum(axis=0).min() == 0 < (seen > between).sum(axis=0).max()
    rerank = {"backbone": SECOND, "threshold": between}
    batch = predicted(tmp_path, rerank=rerank, center=True)
    np.testing.assert_allclose(batch.embeddings.rows, written.rows(8, 1.0, between), atol=1e-4)


def test_ridge_looks_at_both_backbones_embeddings(tmp_path: Path) -> None:
    batch = predicted(tmp_path, kernel={"name": "ridge"}, rerank={"backbone": SECOND, "mix": 0.4})
    written = Written()
    one, two = (queries[0] for queries in written.queries)
    products = 0.6 * written.keys[0] @ written.keys[0].T + 0.4 * written.keys[1] @ written.keys[1].T
    first, second = written.keys[0] @ one, written.keys[1] @ two
    near = np.argsort(-first)[:8]
    cosines = (0.6 * first + 0.4 * second)[near]
    near, cosines = near[np.argsort(-cosines)[:4]], np.sort(cosines)[::-1][:4]
    shares = np.linalg.solve(products[np.ix_(near, near)] + 0.1 * np.eye(4), cosines)
    wanted = shares @ written.targets[near]
    np.testing.assert_allclose(batch.embeddings.rows[0], wanted / np.linalg.norm(wanted), atol=1e-4)


def test_what_rerank_does_can_be_searched_but_not_its_backbone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    member = loaded(tmp_path / "a", options(rerank={"backbone": SECOND}))
    other = options(neighbours=3, rerank={"backbone": SECOND, "mix": 0.5, "candidates": 9})
    ((varied,),) = member.predict_variants(example_images(), [other])
    member.close()
    (tmp_path / "b").mkdir()
    (batch,) = loaded(tmp_path / "b", other).predict(example_images())
    np.testing.assert_allclose(varied.rows, batch.embeddings.rows, atol=1e-6)
    with pytest.raises(ConfigError, match="but for its `backbone`"):
        member.check_variants([options(rerank={"backbone": FIRST})])


def test_keys_of_another_second_tower_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    given = options(rerank={"backbone": SECOND})
    loaded(tmp_path, given)
    save_file({"keys": np.zeros((3, 5), np.float32)}, tmp_path / "rerank.safetensors")
    with pytest.raises(DataError, match="was made with another bank or tower"):
        Knn(given, Runtime()).load(tmp_path)


def test_both_backbones_are_needed_counted_and_part_of_the_identity() -> None:
    plain, both = Knn(options(), Runtime()), Knn(options(rerank={"backbone": SECOND}), Runtime())
    assert len(both.needs()) == 2 * len(plain.needs())
    assert set(both.towers()) == {*plain.towers(), "CLIP of rerank"}
    other = Knn(options(rerank={"backbone": FIRST}), Runtime())
    identities = [member.identity() for member in (plain, both, other)]
    assert identities[0] != identities[1] != identities[2]


def test_an_images_own_prompt_is_left_out_where_it_is_known(tmp_path: Path) -> None:
    train = example_train_set()
    others = tuple(
        replace(record, prompt=f" {record.prompt.upper()}  ") if number % 2 else record
        for number, record in enumerate(train.records)
    )
    bank = tmp_path / "bank.csv"
    bank.write_text("\n".join(["prompt", *(record.prompt for record in train.records)]))
    shouted = replace(train, records=others)
    (tmp_path / "a").mkdir()
    given = options(exclude_exact=True, evidence=4, bank={"prompts": str(bank)})
    member = loaded(tmp_path / "a", given, shouted)
    batches = list(member.predict(train.images))
    own = {record.image_id: folded(record.prompt) for record in train.records}
    for batch in batches:
        rows = zip(batch.embeddings.ids, batch.prompts, batch.evidence, strict=True)
        for name, prompt, evidence in rows:
            assert len(evidence) == 4  # as many neighbours as without
            assert own[name] not in {folded(piece.text) for piece in evidence}
            assert folded(prompt or "") != own[name]
    # Of images that are not known nothing is left out.
    (unknown,) = member.predict(example_images())
    plain = Knn(options(evidence=4, bank={"prompts": str(bank)}), Runtime())
    plain.load(tmp_path / "a")
    (same,) = plain.predict(example_images())
    np.testing.assert_array_equal(unknown.embeddings.rows, same.embeddings.rows)
    held = [batch.evidence for batch in plain.predict(train.images)]
    names = [name for batch in batches for name in batch.embeddings.ids]
    pieces = [pieces for batch in held for pieces in batch]
    assert any(
        own[name] in {folded(piece.text) for piece in shown}
        for name, shown in zip(names, pieces, strict=True)
    )


def test_an_image_whose_own_prompt_is_all_there_is_is_still_predicted(tmp_path: Path) -> None:
    train = example_train_set()
    one = replace(
        train,
        records=train.records[:1],
        images=train.images.select(train.images.ids[:1]),
        targets=train.targets.select(train.images.ids[:1]),
    )
    member = loaded(tmp_path, options(exclude_exact=True), one)
    (batch,) = member.predict(one.images)
    np.testing.assert_allclose(batch.embeddings.rows, one.targets.rows, atol=1e-6)
    assert batch.prompts == (train.records[0].prompt,)


def test_softmax_default_is_what_the_formula_above_uses() -> None:
    assert options().kernel == Softmax(temperature=20.0)
