"""The family: a map that is fitted to prompts alone, and used on images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unprompt import Batch, DataError, Embeddings, Images, Need, Predictor, Runtime, TrainSet, unit
from unprompt.artifacts import read_tensors
from unprompt.bank import PromptBank, cached_key_parts
from unprompt.towers import ClipBackbone, ClipQueries, ClipTowers
from unprompt_text_map.normal import Fit, FloatArray, LinearMap
from unprompt_text_map.options import CENTER_ON, TextMapOptions

OWNER = "text-map backbone"
FILE, NOTE = "map.safetensors", "map.json"
PART = 8192
"""Prompts of a bank on disk that are read at a time."""

Part = tuple[Sequence[str], FloatArray, FloatArray]
"""Prompts with their keys (n, C) and targets (n, D)."""


class TextMap(Predictor):
    """CLIP image embedding -> the map that takes CLIP's text embeddings to the target space.

    A ridge regression from the bank's CLIP text embeddings to their rows in the target space, in
    closed form. CLIP puts an image near its text, but for a gap between the two kinds, which
    `center` takes out; no image is needed for more than that.

    Source: the 7th-place solution of the competition (discussion/410618), which started its image
    head from such a map; SD-IPC (arXiv 2305.12716) for the closed form.
    """

    options: TextMapOptions

    def __init__(self, options: TextMapOptions, runtime: Runtime) -> None:
        """Store both."""
        super().__init__(options, runtime)
        self._backbone = ClipBackbone(options.backbone, options.views, runtime, OWNER)
        self._bank: PromptBank | None = None
        self._tensors: Mapping[str, FloatArray] = {}

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
        """Fit the map to the bank, part by part; measure where images lie.

        Raises:
            DataError: There are fewer than two prompts, or no images for `center`.
        """
        from safetensors.numpy import save_file

        rows, parts = self._known(train)
        images = self._measured(train) if self.options.center else None  # fails before the bank
        linear, bank = self._fitted(rows, parts)
        mean, scale = linear.mean_key, 1.0
        if images is not None:
            mean = images.mean(axis=0)
            spread = float(np.sqrt(((images - mean) ** 2).sum(axis=1).mean()))
            scale = linear.spread / max(spread, 1e-6)
        tensors = {
            "weight": np.float32(scale) * linear.weight,
            "mean_query": mean,
            "mean_target": linear.mean_target,
        }
        save_file({name: np.ascontiguousarray(rows) for name, rows in tensors.items()},
                  artifact / FILE)  # fmt: skip
        note = {"penalty": linear.penalty, "rows": linear.rows, "held_out_cosine": linear.cosine}
        (artifact / NOTE).write_text(json.dumps(note), encoding="utf-8")
        bank.save(artifact)

    def load(self, artifact: Path) -> None:
        """Read map, prompts and towers.

        Raises:
            DataError: A file of the artifact is damaged, or of another tower or encoder.
        """
        shapes = {"weight": ("C", "D"), "mean_query": ("C",), "mean_target": ("D",)}
        tensors, bank = read_tensors(artifact / FILE, shapes), PromptBank.read(artifact)
        encoder = self.runtime.text_encoder
        dim = encoder.dim if encoder is not None else bank.targets.shape[1]
        bank.check(artifact, target_dim=dim, key_dim=None)
        if tensors["weight"].shape != (self.clip.dim, dim):
            raise DataError(
                f"{artifact / FILE}: maps {tensors['weight'].shape[0]} numbers to "
                f"{tensors['weight'].shape[1]}, not {self.clip.dim} to {dim}: it was made with "
                "another tower or text encoder"
            )
        self._tensors = {name: rows.astype(np.float32) for name, rows in tensors.items()}
        self._bank = bank

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows with the nearest prompts of the bank; features are CLIP's embeddings."""
        assert self._bank is not None  # load() comes first, by contract
        given = self._tensors
        for ids, queries in self.queries.batches(images, what="text-map"):
            moved = (queries - given["mean_query"]) @ given["weight"]
            rows = unit(given["mean_target"] + moved)
            evidence = tuple(self._bank.nearest(rows, self.options.evidence))
            best = tuple(near[0].text if near else None for near in evidence)
            yield Batch(Embeddings(ids, rows), best, evidence, Embeddings(ids, queries))

    def check_prepared(self, prepared: TextMapOptions) -> None:
        """Refuse other options, but for evidence, and views where no image was looked at.

        Raises:
            ConfigError: Another option differs.
        """
        free: dict[str, object] = {"evidence": self.options.evidence}
        if not self.options.center:
            free["views"] = self.options.views
        super().check_prepared(prepared.model_copy(update=free))

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        """CLIP's embeddings of the images, where they are as wide as the target space."""
        if self.clip.dim == self._tensors["weight"].shape[1]:
            yield from self.queries.embeddings(images, what="text-map")

    def close(self) -> None:
        """Drop towers, map and prompts."""
        self._backbone.close()
        self._bank = None
        self._tensors = {}

    def _measured(self, train: TrainSet) -> FloatArray:
        """CLIP's embeddings of train images, spread evenly, of shape (n, C)."""
        if not len(train):
            raise DataError(
                "`center` has no images to go by: use the ensemble through an experiment's run, "
                "or give `center: false`"
            )
        images = train.images.spread(CENTER_ON)
        return np.concatenate([q for _, q in self.queries.batches(images, what="measure the mean")])

    def _known(self, train: TrainSet) -> tuple[int, Iterator[Part]]:
        """How many prompts the bank has, and these, part by part."""
        backbone = ClipTowers.identity(self.options.backbone, self.runtime, OWNER)
        encoder, bank = train.text_encoder, self.options.bank
        held = bank.on_disk(backbone, encoder, self.runtime)
        if held is not None:
            return len(held), held.parts(PART)
        texts = bank.texts(train, self.runtime)
        parts = cached_key_parts(texts, self.clip.texts, backbone, self.runtime)
        return len(texts), ((part, keys, encoder.encode(part)) for part, keys in parts)

    def _fitted(self, count: int, parts: Iterable[Part]) -> tuple[LinearMap, PromptBank]:
        """The map, and the prompts that guesses are taken from."""
        fit = Fit(count, self.options.penalty, self.options.held_out)
        step, start = -(-count // self.options.guesses), 0
        shown: list[str] = []
        rows: list[FloatArray] = []
        for texts, keys, targets in parts:
            fit.add(keys, targets)
            first = -start % step
            shown += texts[first::step]
            rows.append(targets[first::step])
            start += len(texts)
        return fit.solved(), PromptBank.of(shown, np.concatenate(rows))

    @property
    def clip(self) -> ClipTowers:
        """Both CLIP towers."""
        return self._backbone.clip

    @property
    def queries(self) -> ClipQueries:
        """CLIP's embeddings of images."""
        return self._backbone.queries
