"""Colour histogram -> kernel-free ridge regression -> the prompt's embedding."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unprompt import Batch, DataError, Embeddings, Evidence, Images, Predictor, TrainSet, unit
from unprompt.artifacts import read_json

from .plugin import RidgeOptions


class Ridge(Predictor):
    """Learns one linear map from the joint histogram of red, green and blue."""

    options: RidgeOptions

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        if not len(train):
            raise DataError("palette-ridge has no images to learn from")
        ids = [record.image_id for record in train.records]
        features = self._features(train.images, ids)
        targets = train.targets.select(ids).rows.astype(np.float64)
        mean, centre = features.mean(axis=0), targets.mean(axis=0)
        u, s, vt = np.linalg.svd(features - mean, full_matrices=False)
        projected = u.T @ (targets - centre)
        best = min(self.options.penalties, key=lambda p: _left_out(u, s, projected, targets, p))
        slopes = vt.T @ (projected * (s / (s**2 + best))[:, None])
        np.savez(artifact / "ridge.npz", mean=mean, centre=centre, slopes=slopes, bank=targets)
        prompts = [record.prompt for record in train.records]
        (artifact / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")

    def load(self, artifact: Path) -> None:
        with np.load(artifact / "ridge.npz", allow_pickle=False) as arrays:
            self._ridge = dict(arrays)
        self._prompts: list[str] = read_json(artifact / "prompts.json", list[str])

    def predict(self, images: Images) -> Iterator[Batch]:
        ridge, size = self._ridge, self.runtime.batch_size
        for start in range(0, len(images), size):
            ids = images.ids[start : start + size]
            features = self._features(images, ids)
            rows = unit((features - ridge["mean"]) @ ridge["slopes"] + ridge["centre"])
            cosines = rows @ ridge["bank"].T
            nearest = cosines.argmax(axis=1)
            evidence = tuple(
                (Evidence(self._prompts[i], float(line[i]), "nearest"),)
                for i, line in zip(nearest, cosines, strict=True)
            )
            prompts = tuple(self._prompts[i] for i in nearest)
            yield Batch(Embeddings(ids, rows), prompts, evidence, Embeddings(ids, unit(features)))

    def _features(self, images: Images, ids: Sequence[str]) -> NDArray[np.float64]:
        return np.stack([self._histogram(np.asarray(images.open(name))) for name in ids])

    def _histogram(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """The square root of each bin's share, as Hellinger's distance compares them."""
        bins = self.options.bins
        places = (pixels.reshape(-1, 3).astype(np.int64) * bins) // 256
        counts = np.bincount(places @ [bins * bins, bins, 1], minlength=bins**3)
        return np.sqrt(counts / len(places))


def _left_out(
    u: NDArray[np.float64],
    s: NDArray[np.float64],
    projected: NDArray[np.float64],
    targets: NDArray[np.float64],
    penalty: float,
) -> float:
    """The squared error of each train image, predicted from all others (in closed form)."""
    shrunk = s**2 / (s**2 + penalty)
    residuals = targets - targets.mean(axis=0) - u @ (projected * shrunk[:, None])
    leverage = np.einsum("nk,k,nk->n", u, shrunk, u) + 1 / len(u)
    return float(((residuals / (1 - leverage.clip(max=1 - 1e-9))[:, None]) ** 2).mean())
