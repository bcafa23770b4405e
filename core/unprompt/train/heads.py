"""Heads: a tower's features -> rows of the target space.

A head is a plain ``torch.nn`` module whose last layer is ``fc``, so that a linear head's state dict
(``fc.weight``, ``fc.bias``) is that of the 68th-place solution. What is kept of a trained head is
`folded`: linear layers alone, which `FoldedHead` applies without torch.

Source of `MlpHead`: the 1st-place solution of the Kaggle competition, a CLIP's 1024 features ->
16,384 -> 384 with batch normalisation and ReLU between; its authors call the large head
significant.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from unprompt._config.base import Model
from unprompt._config.choice import choice_by_name
from unprompt._files.tensors import read_tensors
from unprompt.embeddings import unit
from unprompt.errors import DataError
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch

FILE = "head.safetensors"
"""The file of an artifact that holds a folded head."""


class LinearHead(Model):
    """One linear layer, ``features -> D``."""

    name: Literal["linear"] = Field(
        default="linear",
        description="linear: one linear layer, fitted in closed form before the fine-tuning. mlp: "
        "a hidden layer with batch normalisation and ReLU before it.",
    )

    @property
    def least_batch(self) -> int:
        """The fewest images that a training step can have."""
        return 1


class MlpHead(Model):
    """``Linear -> BatchNorm -> ReLU -> Linear``."""

    name: Literal["mlp"]
    width: int = Field(
        default=16384,
        ge=1,
        le=1_048_576,
        description="Of the hidden layer.",
        json_schema_extra={"unit": "features"},
    )
    epochs: int = Field(
        default=20,
        ge=1,
        description="Passes over the frozen features, in which the head is trained alone.",
    )
    batch_size: int = Field(
        default=256,
        ge=2,
        description="Images of a step then.",
        json_schema_extra={"unit": "images"},
    )
    learning_rate: float = Field(
        default=1e-3, gt=0, allow_inf_nan=False, description="Peak of the learning rate then."
    )

    @property
    def least_batch(self) -> int:
        """The fewest images that a training step can have: one has no variance to divide by."""
        return 2


def by_name(raw: object) -> object:
    """``linear`` as ``{name: linear}``."""
    return {"name": raw} if isinstance(raw, str) else raw


_Head = Annotated[
    LinearHead | MlpHead, choice_by_name("name", "linear", {"linear": LinearHead, "mlp": MlpHead})
]
Head = Annotated[
    _Head,
    BeforeValidator(by_name, json_schema_input_type=_Head | Literal["linear", "mlp"]),
]
"""What stands between a tower and the target space; ``head: mlp`` says ``{name: mlp}``."""


def build_head(options: LinearHead | MlpHead, features: int, dim: int) -> torch.nn.Module:
    """A head with torch's random parameters: (n, ``features``) -> (n, ``dim``), not normalised."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if isinstance(options, MlpHead):
        layers["hidden"] = nn.Linear(features, options.width)
        layers["norm"] = nn.BatchNorm1d(options.width)
        layers["relu"] = nn.ReLU()
        features = options.width
    layers["fc"] = nn.Linear(features, dim)
    return nn.Sequential(layers)


def fill_linear(head: torch.nn.Module, weight: FloatArray, bias: FloatArray) -> None:
    """Set the last layer.

    Args:
        head: Of `build_head`.
        weight: Of shape (F, D), F inputs of the layer.
        bias: Of shape (D,).
    """
    import torch

    layer = head.get_submodule("fc")
    with torch.no_grad():
        layer.get_parameter("weight").copy_(torch.from_numpy(np.ascontiguousarray(weight.T)))
        layer.get_parameter("bias").copy_(torch.from_numpy(bias))


def folded(head: torch.nn.Module) -> FoldedHead:
    """The head as it predicts: batch normalisation is part of the layer before it.

    Args:
        head: Of `build_head`; is left as it is.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_linear_bn_weights

    layers = dict(head.named_children())
    tensors: dict[str, torch.Tensor] = {}
    hidden, norm = layers.get("hidden"), layers.get("norm")
    if isinstance(hidden, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None and norm.running_var is not None  # it tracks them
        tensors["hidden.weight"], tensors["hidden.bias"] = fuse_linear_bn_weights(
            hidden.weight.double(),
            hidden.bias.double(),
            norm.running_mean.double(),
            norm.running_var.double(),
            norm.eps,
            norm.weight.double(),
            norm.bias.double(),
        )
    tensors |= {f"fc.{name}": value for name, value in layers["fc"].named_parameters()}
    return FoldedHead.of(
        {name: value.detach().float().cpu().numpy() for name, value in tensors.items()}
    )


@dataclass(frozen=True, slots=True, eq=False)
class FoldedHead:
    """``unit(relu(features @ hidden + offset) @ weight + bias)``; without a hidden layer linear.

    Attributes:
        weight: float32 of shape (F, D); (H, D) behind a hidden layer.
        bias: float32 of shape (D,).
        hidden: The hidden layer, float32 of shapes (F, H) and (H,); None where there is none.
    """

    weight: FloatArray
    bias: FloatArray
    hidden: tuple[FloatArray, FloatArray] | None = None

    @classmethod
    def of(cls, state: Mapping[str, FloatArray]) -> FoldedHead:
        """A state dict's: ``fc.weight`` (D, F) and ``fc.bias``, ``hidden.*`` where it has them."""
        plain = {name: np.asarray(value, np.float32) for name, value in state.items()}
        hidden = None
        if "hidden.weight" in plain:
            hidden = np.ascontiguousarray(plain["hidden.weight"].T), plain["hidden.bias"]
        return cls(np.ascontiguousarray(plain["fc.weight"].T), plain["fc.bias"], hidden)

    @property
    def features(self) -> int:
        """F, the width of what it takes."""
        return len(self.weight if self.hidden is None else self.hidden[0])

    @property
    def dim(self) -> int:
        """D, the width of what it predicts."""
        return len(self.bias)

    def predict(self, features: FloatArray) -> FloatArray:
        """Features (n, F) -> unit rows (n, D)."""
        if self.hidden is not None:
            weight, bias = self.hidden
            features = np.maximum(features @ weight + bias, 0)
        return unit(features @ self.weight + self.bias)

    def save(self, folder: Path) -> None:
        """Write ``head.safetensors``."""
        from safetensors.numpy import save_file

        state = {"fc.weight": self.weight.T.copy(), "fc.bias": self.bias}
        if self.hidden is not None:
            weight, bias = self.hidden
            state |= {"hidden.weight": weight.T.copy(), "hidden.bias": bias}
        save_file(state, folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> FoldedHead:
        """Read what `save` wrote.

        Raises:
            DataError: The file is missing or damaged, or holds something else.
        """
        shapes: dict[str, tuple[int | str, ...]] = {"fc.weight": ("D", "F"), "fc.bias": ("D",)}
        if any(name.startswith("hidden.") for name in read_tensors(folder / FILE)):
            shapes = {"hidden.weight": ("H", "F"), "hidden.bias": ("H",)}
            shapes |= {"fc.weight": ("D", "H"), "fc.bias": ("D",)}
        return cls.of(read_tensors(folder / FILE, shapes))

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
            ("takes features of", self.features, features),
            ("predicts rows of", self.dim, target_dim),
        ):
            if wanted is not None and has != wanted:
                raise DataError(
                    f"{folder / FILE}: {what} {has} numbers, not of {wanted}: "
                    "it was made with another tower or text encoder"
                )
