"""The linear head: features -> target space, fitted in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unprompt import DataError, unit
from unprompt.artifacts import read_tensors

FILE = "head.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """``unit(features @ weight + bias)``.

    Attributes:
        weight: float32 of shape (F, D).
        bias: float32 of shape (D,).
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    @classmethod
    def of(cls, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Head:
        """A torch ``Linear``'s: ``weight`` (D, F) and ``bias`` (D,)."""
        return cls(np.ascontiguousarray(weight.T), bias)

    @classmethod
    def fit(
        cls,
        features: npt.NDArray[np.float32],
        targets: npt.NDArray[np.float32],
        penalties: Sequence[float],
    ) -> Head:
        """Ridge regression; the penalty is chosen by leave-one-out error, in closed form.

        Args:
            features: Of shape (N, F).
            targets: Unit rows of shape (N, D).
            penalties: To choose from.
        """
        from sklearn.linear_model import RidgeCV

        wide = features.astype(np.float64)
        mean, scale = wide.mean(axis=0), wide.std(axis=0)
        scale[scale == 0] = 1.0  # a feature that never moves adds nothing
        model = RidgeCV(alphas=[penalty * len(wide) for penalty in penalties])
        model.fit((wide - mean) / scale, targets.astype(np.float64))
        weight = model.coef_.T / scale[:, None]  # (F, D), for features as they come
        bias = model.intercept_ - mean @ weight
        return cls(weight.astype(np.float32), bias.astype(np.float32))

    def predict(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Features (n, F) -> unit rows (n, D)."""
        return unit(features @ self.weight + self.bias)

    def save(self, folder: Path) -> None:
        """Write ``head.safetensors``."""
        from safetensors.numpy import save_file

        save_file({"fc.weight": self.weight.T.copy(), "fc.bias": self.bias}, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Head:
        """Read what `save` wrote.

        Raises:
            DataError: The file is missing or damaged, or holds something else.
        """
        state = read_tensors(folder / FILE, {"fc.weight": ("D", "F"), "fc.bias": ("D",)})
        weight, bias = (state[name].astype(np.float32, copy=False) for name in state)
        return cls.of(weight, bias)

    def check(self, folder: Path, *, features: int, target_dim: int | None) -> None:
        """Check that the head belongs to a tower and a text encoder.

        Args:
            folder: Where it was read, for error lines.
            features: F of the tower.
            target_dim: D of the text encoder; None: it is not known.

        Raises:
            DataError: It is for others.
        """
        for what, has, wanted in (
            ("takes features of", len(self.weight), features),
            ("predicts rows of", len(self.bias), target_dim),
        ):
            if wanted is not None and has != wanted:
                raise DataError(
                    f"{folder / FILE}: {what} {has} numbers, not of {wanted}: "
                    "it was made with another tower or text encoder"
                )
