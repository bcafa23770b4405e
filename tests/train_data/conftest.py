"""Small towers whose preprocess is a library's own, and images that are different."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt.contracts import Runtime
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower

CHECKPOINTS = Path(__file__).parents[2] / "plugins" / "unprompt_painter" / "checkpoints"
LIBRARIES: dict[str, tuple[Any, str]] = {
    "open_clip": (ClipTowers, "clip-a"),
    "transformers": (VisionTower, "vision-a"),
    "timm": (TimmTower, "vision-b"),
}

Transform = Callable[[Image.Image], Any]


def noise(seed: int, width: int = 90, height: int = 70) -> Image.Image:
    """An image of random pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.fixture(scope="session", params=LIBRARIES)
def transform(request: pytest.FixtureRequest) -> Transform:
    """The preprocess of a packaged tower."""
    tower, name = LIBRARIES[request.param]
    made: Transform = tower(
        FolderSource.model_validate({"folder": str(CHECKPOINTS / name)}), Runtime(), "test"
    ).transform
    return made
