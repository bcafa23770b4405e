"""Train sets of numbers, and images of one colour each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, Record, Runtime, TrainSet
from unprompt.contracts.specs import PredictorSpec
from unprompt.embeddings import Embeddings, unit
from unprompt.testing import HashedWords
from unprompt.types import FloatArray
from unprompt_clip.regressor import ClipRegressor, Regressor, TimmRegressor

from .towers import save_timm, save_vision


@dataclass
class Colours:
    """Images of one colour, by id; counts how often one is opened."""

    levels: dict[str, tuple[int, int, int]]
    opened: list[str] = field(default_factory=list)

    def open(self, image_id: str) -> Image.Image:
        self.opened.append(image_id)
        return Image.new("RGB", (40, 40), self.levels[image_id])

    def digest(self, image_id: str) -> str:
        return "-".join(map(str, self.levels[image_id]))


def coloured(count: int, first: int = 0) -> Images:
    """``count`` images, no two of the same colour."""
    numbers = range(first, first + count)
    levels = {f"i{n}": (n % 256, 37 * n % 256, n // 256 % 256) for n in numbers}
    return Images(tuple(levels), Colours(levels))


MakeTrain = Callable[..., TrainSet]


@pytest.fixture(scope="session")
def make_train() -> MakeTrain:
    """``make_train(prompts, weights=..., rows=...)``: a train set with an image for each prompt."""

    def make(
        prompts: Sequence[str],
        weights: Sequence[float] | None = None,
        rows: object = None,
        groups: Sequence[str] | None = None,
    ) -> TrainSet:
        images = coloured(len(prompts))
        numbers = {text: f"p{i}" for i, text in enumerate(dict.fromkeys(prompts))}
        records = tuple(
            Record(
                image_id=name,
                prompt_id=numbers[prompt],
                prompt=prompt,
                weight=1.0 if weights is None else weights[i],
                group=None if groups is None else groups[i],
            )
            for i, (name, prompt) in enumerate(zip(images.ids, prompts, strict=True))
        )
        encoder = HashedWords()
        targets = encoder.encode(list(prompts)) if rows is None else unit(np.asarray(rows))
        return TrainSet(records, images, Embeddings(images.ids, targets), encoder)

    return make


@pytest.fixture(scope="session")
def vision(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tower for `clip-l14`."""
    return save_vision(tmp_path_factory.mktemp("towers") / "vision")


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tower for `clip-l16-384`."""
    return save_timm(tmp_path_factory.mktemp("towers") / "vit")


COUNT, DIM = 48, 12


@pytest.fixture(scope="session")
def train(make_train: MakeTrain) -> TrainSet:
    """48 coloured images; their targets are a curved function of the colour."""
    images = coloured(COUNT)
    source = images.source
    assert isinstance(source, Colours)
    colours = np.array([source.levels[name] for name in images.ids]) / 255
    rng = np.random.default_rng(0)
    waves = np.sin(9 * colours @ rng.normal(size=(3, 30)) + rng.uniform(0, 6, 30))
    rows = unit(waves @ rng.normal(size=(30, DIM)))
    prompts = [f"prompt of {place} words" for place in range(COUNT)]
    made = make_train(prompts, rows=rows)
    return replace(made, text_encoder=Narrow(), group_cosine=0.999)


class Narrow(HashedWords):
    """A text encoder as wide as the targets."""

    @property
    def dim(self) -> int:
        return DIM

    def encode(self, texts: Sequence[str]) -> FloatArray:
        rows: FloatArray = unit(super().encode(texts)[:, :DIM])
        return rows


MakeMember = Callable[..., Regressor]


@pytest.fixture(scope="session")
def make_member(vision: Path, vit: Path) -> MakeMember:
    """``make_member("clip-l14", epochs=2, ...)``: a member with these training options."""
    registry = Registry()

    def make(
        name: str = "clip-l14",
        runtime: Runtime | None = None,
        *,
        penalties: object = None,
        **training: Any,
    ) -> Regressor:
        spec = registry.spec(name, PredictorSpec)
        folder = vision if name == "clip-l14" else vit
        raw: dict[str, Any] = {"backbone": {"folder": str(folder)}}
        if penalties is not None:
            raw["penalties"] = penalties
        if training:
            raw["training"] = {"validation": 0.25, "batch_size": 16, **training}
        family = ClipRegressor if name == "clip-l14" else TimmRegressor
        options: Any = spec.options.model_validate(raw)
        return family(options, replace(runtime or Runtime(), text_encoder=Narrow()))

    return make
