"""The kNN regressor that every ``knn-*`` family shares; families differ in their towers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import (
    Batch,
    ConfigError,
    DataError,
    Embeddings,
    Evidence,
    Images,
    Need,
    Predictor,
    Runtime,
    TrainSet,
)
from unprompt.bank import PromptBank
from unprompt.towers import ClipQueries, ClipTowers
from unprompt_knn.centre import Centre, centred, summed
from unprompt_knn.fit import fit
from unprompt_knn.kernel import DoubleArray, FloatArray, Kernel, Numbers, Power, Ridge, Softmax
from unprompt_knn.options import CENTER_ON, KnnOptions

OWNER = "kNN backbone"
FITTED = "kernel.json"


class Knn(Predictor):
    """CLIP image embedding -> K nearest bank prompts by CLIP text embedding -> weighted sum.

    Source: the kNN regression of the 68th-place solution, plugins/kaggle-68th.md.
    """

    options: KnnOptions

    def __init__(self, options: KnnOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._clip: ClipTowers | None = None
        self._queries: ClipQueries | None = None
        self._bank: PromptBank | None = None
        self._centre: Centre | None = None
        self._kernel: Kernel = options.kernel

    def identity(self) -> Mapping[str, Any]:
        """The content of towers and bank table."""
        tower = ClipTowers.identity(self.options.backbone, self.runtime, OWNER)
        return {**tower, **self.options.bank.identity(self.runtime)}

    def needs(self) -> Sequence[Need]:
        """Files of towers and bank table."""
        return [*ClipTowers.needs(self.options.backbone), *self.options.bank.needs()]

    def towers(self) -> Mapping[str, int]:
        """CLIP: its image and text towers together."""
        return {"CLIP": ClipTowers.parameters(self.options.backbone, OWNER)}

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Embed the bank's prompts with the CLIP text tower and the text encoder; fit the kernel.

        Raises:
            DataError: There are no prompts, or no images for `center` or `kernel.fit`.
        """
        prompts = self.options.bank.texts(train, self.runtime)
        rows = {text: row for row, text in enumerate(dict.fromkeys(prompts))}
        places = [rows[text] for text in prompts]  # a repeated prompt is embedded once
        targets, keys = train.text_encoder.encode(list(rows)), self.clip.texts(list(rows))
        bank, centre = PromptBank.of(prompts, targets[places], keys[places]), None
        if self.options.center:
            _, queries = self._known(train, CENTER_ON, "center", "measure the mean")
            bank, centre = centred(bank), Centre.of(queries, bank)
            centre.save(artifact)
        bank.save(artifact)
        if (kernel := self._kernel_to_fit()) is not None:
            fitted = self._fit(kernel, bank, centre, train)
            (artifact / FITTED).write_text(json.dumps(fitted), encoding="utf-8")

    def load(self, artifact: Path) -> None:
        """Read the bank, the kernel and the towers.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        bank, encoder = PromptBank.read(artifact), self.runtime.text_encoder
        if (kernel := self._kernel_to_fit()) is not None:
            self._kernel = kernel.fitted(artifact / FITTED)
        dim = encoder.dim if encoder is not None else None
        bank.check(artifact, target_dim=dim, key_dim=self.clip.dim)
        if self.options.center:
            self._centre = Centre.read(artifact, bank)
        self._bank, self._queries = bank, self.queries

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows, the best neighbour's prompt, and the neighbours with their shares.

        Features are the queries.
        """
        bank, options = self.bank, self.options
        for ids, queries in self.queries.batches(images, what="kNN"):
            cosines, rows = bank.search_keys(self._moved(queries), options.neighbours)  # (n, K)
            shares = self._kernel.shares(cosines, rows, bank.keys)  # (n, K)
            embeddings = summed(bank.targets[rows], shares, self._centre)  # (n, D)
            pairs = zip(rows, shares, strict=True)
            evidence = tuple(self._evidence(bank, numbers, line) for numbers, line in pairs)
            best = tuple(near[0].text for near in bank.nearest(embeddings, 1))
            yield Batch(Embeddings(ids, embeddings), best, evidence, Embeddings(ids, queries))

    def check_prepared(self, prepared: KnnOptions) -> None:
        """Refuse what `check_variants` does, but for views where nothing was learned through them.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted again.
        """
        free: dict[str, object] = {"evidence": self.options.evidence}
        if self._kernel_to_fit() is None and not self.options.center:
            free["views"] = self.options.views
        super().check_prepared(prepared.model_copy(update=free))

    def check_variants(self, variants: Sequence[KnnOptions]) -> None:
        """Refuse what `predict_variants` cannot change.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted.
        """
        for options in variants:
            changed = {"neighbours": options.neighbours, "kernel": options.kernel}
            if self.options.model_copy(update=changed) != options:
                raise ConfigError("only `neighbours` and `kernel` can be searched")
            if getattr(options.kernel, "fit", 0):
                raise ConfigError("`kernel.fit` has to be 0 where options are searched")

    def predict_variants(
        self, images: Images, variants: Sequence[KnnOptions]
    ) -> Iterator[Sequence[Embeddings]]:
        """Other kernels and other K, from the same neighbours.

        Raises:
            ConfigError: Another option differs, or a kernel would have to be fitted.
        """
        bank = self.bank
        self.check_variants(variants)
        most = max(options.neighbours for options in variants)
        for ids, queries in self.queries.batches(images, what="kNN"):
            cosines, rows = bank.search_keys(self._moved(queries), most)
            predictions = []
            for options in variants:
                near, numbers = cosines[:, : options.neighbours], rows[:, : options.neighbours]
                shares = options.kernel.shares(near, numbers, bank.keys)
                predicted = summed(bank.targets[numbers], shares, self._centre)
                predictions.append(Embeddings(ids, predicted))
            yield predictions

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        """CLIP's embeddings of the images, where they are as wide as the target space."""
        if self.clip.dim == self.bank.targets.shape[1]:
            yield from self.queries.embeddings(images, what="kNN")

    def close(self) -> None:
        """Drop towers and bank."""
        self._clip = self._queries = self._bank = self._centre = None

    def _kernel_to_fit(self) -> Softmax | Ridge | None:
        """The kernel, where its number is to be chosen."""
        kernel = self.options.kernel
        return None if isinstance(kernel, Power) or not kernel.fit else kernel

    def _moved(self, queries: FloatArray) -> FloatArray:
        """Queries (n, C) as the bank is searched with."""
        return queries if self._centre is None else self._centre.moved(queries)

    def _fit(
        self, kernel: Softmax | Ridge, bank: PromptBank, centre: Centre | None, train: TrainSet
    ) -> dict[str, float]:
        """The kernel's number, on images spread evenly over the train split."""
        images, queries = self._known(train, kernel.fit, "kernel.fit", "fit the kernel")
        if centre is not None:
            queries = centre.moved(queries)
        targets = train.targets.select(images.ids).rows
        neighbours = self.options.neighbours
        return fit(bank, queries, targets, neighbours, kernel, train.group_cosine, centre)

    def _known(
        self, train: TrainSet, most: int, option: str, what: str
    ) -> tuple[Images, FloatArray]:
        """Up to ``most`` train images, spread evenly, and CLIP's embeddings of them (n, C)."""
        if not len(train):
            raise DataError(
                f"`{option}` has no images to go by: use the ensemble through an experiment's run, "
                "or leave it out"
            )
        step = max(1, len(train) // most)
        images = train.images.select(train.images.ids[::step][:most])
        return images, np.concatenate([q for _, q in self.queries.batches(images, what=what)])

    def _evidence(
        self, bank: PromptBank, rows: Numbers, shares: DoubleArray
    ) -> tuple[Evidence, ...]:
        """The prompts that count most; what ridge takes away is no evidence for a prompt."""
        shared: dict[str, float] = {}
        parts = shares / max(np.abs(shares).sum(), 1e-300)  # ridge's add up to anything
        for row, share in zip(rows, parts, strict=True):  # duplicates count together
            shared[bank.prompts[row]] = shared.get(bank.prompts[row], 0.0) + float(share)
        most = sorted(shared, key=lambda prompt: -shared[prompt])[: self.options.evidence]
        return tuple(
            Evidence(prompt, shared[prompt], "neighbour") for prompt in most if shared[prompt] > 0
        )

    @property
    def bank(self) -> PromptBank:
        """The bank that `load` read."""
        assert self._bank is not None  # load() comes first, by contract
        return self._bank

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers, loaded when first used."""
        if self._clip is None:
            self._clip = ClipTowers(self.options.backbone, self.runtime, OWNER)
        return self._clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        if self._queries is None:
            self._queries = ClipQueries(self.clip, self.options.views, self.runtime)
        return self._queries
