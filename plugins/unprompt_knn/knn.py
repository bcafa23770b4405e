"""The kNN regressor that every ``knn-*`` family shares; families differ in their towers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import (
    Batch,
    DataError,
    Embeddings,
    Evidence,
    Images,
    Need,
    Predictor,
    Runtime,
    TrainSet,
)
from unprompt.bank import Bank
from unprompt.towers import ClipQueries, ClipTowers
from unprompt_knn import options as choices
from unprompt_knn import retrieval
from unprompt_knn.fit import Grid, near_duplicates
from unprompt_knn.kernel import DoubleArray, FloatArray, Numbers
from unprompt_knn.kernels import Fitted, read_fitted, to_try, written
from unprompt_knn.near import Near
from unprompt_knn.options import CENTER_ON, KnnOptions
from unprompt_knn.own import folded
from unprompt_knn.retrieval import Retrieval, Seen

FITTED = "kernel.json"
GUESSES = 8
"""Prompts to choose a readable guess from, where an image's own are left out."""


class Knn(Predictor):
    """CLIP image embedding -> K nearest bank prompts by CLIP text embedding -> weighted sum.

    Source: the kNN regression of the 68th-place solution, plugins/kaggle-68th.md.
    """

    options: KnnOptions

    def __init__(self, options: KnnOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._retrieval: Retrieval | None = None
        self._fitted: KnnOptions = options

    def identity(self) -> Mapping[str, Any]:
        """The content of towers, captioner and bank table."""
        return retrieval.identity(self.options, self.runtime)

    def needs(self) -> Sequence[Need]:
        """Files of towers, captioner and bank table."""
        return retrieval.needs(self.options)

    def towers(self) -> Mapping[str, int]:
        """CLIP: its image and text towers together."""
        return retrieval.towers(self.options)

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Embed the bank's prompts with the CLIP text tower and the text encoder; fit the kernel.

        Raises:
            DataError: There are no prompts, or no images for `center` or `kernel.fit`.
        """
        center, fit = self.options.center, self.options.kernel.fit
        self.retrieval.embed(train)
        sample = None
        if center or fit:
            most = max(CENTER_ON if center else 0, fit)
            sample = _spread(train, train.images, most, "center" if center else "kernel.fit")
        self.retrieval.learn(train, sample, artifact)
        if sample is not None and fit:
            fitted = self._fit(train, _spread(train, sample, fit, "kernel.fit"))
            kept = json.dumps(written(self.options.kernel, fitted))
            (artifact / FITTED).write_text(kept, encoding="utf-8")

    def load(self, artifact: Path) -> None:
        """Read the bank, the kernel and the towers.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        if self.options.kernel.fit:
            options = self.options
            fitted = read_fitted(artifact / FITTED, options.kernel, options.neighbours)
            self._fitted = options.model_copy(update=dict(fitted))
        self.retrieval.read(artifact, self.runtime.text_encoder)

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows, the best neighbour's prompt, and the neighbours with their shares.

        Features are the queries.
        """
        for seen in self.retrieval.seen(images, what="kNN"):
            near, shares, rows = self._predicted(seen, [self._fitted])[0]
            pairs = zip(near.rows, shares, strict=True)
            evidence = tuple(self._evidence(near, numbers, line) for numbers, line in pairs)
            embeddings, features = Embeddings(seen.ids, rows), Embeddings(seen.ids, seen.features)
            yield Batch(embeddings, self._guesses(seen, rows), evidence, features)

    def check_prepared(self, prepared: KnnOptions) -> None:
        """Refuse what `check_variants` does, but for views where nothing was learned through them.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted again.
        """
        free: dict[str, object] = {"evidence": self.options.evidence}
        if not self.options.kernel.fit and not self.options.center:
            free["views"] = self.options.views
        if not self.options.kernel.fit:  # else it was chosen on what the index finds
            search = {"index": self.options.bank.index, "recall": self.options.bank.recall}
            free["bank"] = prepared.bank.model_copy(update=search)
        super().check_prepared(prepared.model_copy(update=free))

    def check_variants(self, variants: Sequence[KnnOptions]) -> None:
        """Refuse what `predict_variants` cannot change.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted.
        """
        choices.check_variants(self.options, variants)

    def predict_variants(
        self, images: Images, variants: Sequence[KnnOptions]
    ) -> Iterator[Sequence[Embeddings]]:
        """Other kernels, K, counts, parts of captions and reranking, from the same neighbours.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted.
        """
        self.check_variants(variants)
        for seen in self.retrieval.seen(images, what="kNN"):
            yield [Embeddings(seen.ids, rows) for _, _, rows in self._predicted(seen, variants)]

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        """CLIP's embeddings of the images, where they are as wide as the target space."""
        if self.clip.dim == self.bank.targets.shape[1]:
            yield from self.queries.embeddings(images, what="kNN")

    def close(self) -> None:
        """Drop towers and bank."""
        self._retrieval = None

    def _predicted(
        self, seen: Seen, variants: Sequence[KnnOptions]
    ) -> list[tuple[Near, DoubleArray, FloatArray]]:
        """Neighbours, their shares (n, K) and unit rows (n, D) under each choice of options."""
        most = max(options.candidates for options in variants)
        search, predicted = self.retrieval.search(seen, most), []
        for options in variants:
            near = search.near(options)
            shares = near.shares(options.one_kernel, options.count_power)
            predicted.append((near, shares, near.summed(shares, self.retrieval.centre)))
        return predicted

    def _fit(self, train: TrainSet, images: Images) -> Fitted:
        """Kernel, number and K: those of the options where no image has a neighbour left."""
        options = self.options
        tried = to_try(options.kernel, options.neighbours)
        grid = Grid(tried, self.retrieval.centre, options.count_power)
        for seen in self.retrieval.seen(images, what="fit the kernel"):
            targets = train.targets.select(seen.ids).rows
            drop = partial(near_duplicates, targets=targets, cosine=train.group_cosine)
            search = self.retrieval.search(seen, options.candidates)
            grid.add(search.near(options, drop), targets)
        return grid.best() or Fitted(kernel=options.one_kernel, neighbours=options.neighbours)

    def _guesses(self, seen: Seen, rows: FloatArray) -> tuple[str, ...]:
        """The bank's prompts that are nearest to predictions (n, D)."""
        bank, guesses = self.bank, []
        nearest = bank.nearest(rows, GUESSES if any(seen.own) else 1)
        for number, near in enumerate(nearest):
            own = seen.own[number] if seen.own else frozenset()
            texts = [piece.text for piece in near]
            guesses.append(next((text for text in texts if folded(text) not in own), texts[0]))
        return tuple(guesses)

    def _evidence(self, near: Near, rows: Numbers, shares: DoubleArray) -> tuple[Evidence, ...]:
        """The prompts that count most; what ridge takes away is no evidence for a prompt."""
        shared: dict[str, float] = {}
        parts = shares / max(np.abs(shares).sum(), 1e-300)  # ridge's add up to anything
        for row, share in zip(rows, parts, strict=True):  # duplicates count together
            shared[near.texts[row]] = shared.get(near.texts[row], 0.0) + float(share)
        most = sorted(shared, key=lambda prompt: -shared[prompt])[: self.options.evidence]
        return tuple(
            Evidence(prompt, shared[prompt], "neighbour") for prompt in most if shared[prompt] > 0
        )

    @property
    def retrieval(self) -> Retrieval:
        """Towers and bank, which are loaded when first used."""
        if self._retrieval is None:
            self._retrieval = Retrieval(self.options, self.runtime)
        return self._retrieval

    @property
    def bank(self) -> Bank:
        """The bank that `load` read."""
        return self.retrieval.bank

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers."""
        return self.retrieval.clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        return self.retrieval.queries


def _spread(train: TrainSet, images: Images, most: int, option: str) -> Images:
    """Up to ``most`` images, spread evenly.

    Raises:
        DataError: There are none.
    """
    if not len(train):
        raise DataError(
            f"`{option}` has no images to go by: use the ensemble through an experiment's run, or "
            "leave it out"
        )
    return images.spread(most)
