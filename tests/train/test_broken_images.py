"""Images that cannot be read: left out, counted and named, wherever a recipe meets them."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from unprompt._recipes.execute import Trained
from unprompt._recipes.images import SquarePixels
from unprompt._recipes.scoring import score_on_test
from unprompt._recipes.tower_task import TowerTask
from unprompt.contracts import Images, Runtime
from unprompt.errors import DataError
from unprompt.train.pixels import Pixels
from unprompt.train.samples import Samples
from unprompt_painter.world import World

if TYPE_CHECKING:
    import torch

LEVELS = {"a": 10, "b": 60, "c": 200, "d": 90, "e": 250}
FIRST = 100
"""Number of `a` among the images of the task."""


class Grey:
    """Images of one level of grey; some cannot be opened."""

    def __init__(self, broken: Iterable[str]) -> None:
        self.broken = set(broken)

    def open(self, image_id: str) -> Image.Image:
        if image_id in self.broken:
            raise DataError(f"{image_id}.png: truncated")
        return Image.new("RGB", (9, 7), (LEVELS[image_id],) * 3)

    def digest(self, image_id: str) -> str:
        return image_id


class Level(TowerTask):
    """Its scores are an image's level of grey and its number."""

    pixels = Pixels(4, (0.0,) * 3, (1.0,) * 3)

    def __init__(self) -> None:
        import torch

        self.model = torch.nn.Identity()

    def loss(self, *arguments: object) -> torch.Tensor:
        raise NotImplementedError

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        return {"level": 255 * pixels.mean((1, 2, 3)), "number": rows.float()}


def samples(broken: Iterable[str]) -> Samples:
    return Samples(Images(tuple(LEVELS), Grey(broken)), SquarePixels(Level.pixels), Level.pixels)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_scores_are_of_the_test_images_that_can_be_read(
    batch_size: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="unprompt"):
        result = score_on_test(Level(), samples("bd"), Runtime(batch_size=batch_size), FIRST)
    assert result.scores["level"].score == pytest.approx((10 + 200 + 250) / 3, abs=1e-4)
    assert result.scores["number"].score == pytest.approx((100 + 102 + 104) / 3)
    assert result.broken == {"b": "b.png: truncated", "d": "d.png: truncated"}
    assert caplog.messages == ["b.png: truncated", "d.png: truncated"]


def test_where_no_test_image_can_be_read_it_says_so() -> None:
    with pytest.raises(DataError) as caught:
        score_on_test(Level(), samples(LEVELS), Runtime(), FIRST)
    first, *reasons = caught.value.problems
    assert first == "none of 5 test images can be read"
    assert reasons == [f"{name}.png: truncated" for name in LEVELS]


def test_the_card_counts_and_names_them(
    train: Callable[..., Trained], toy_tower: Callable[[str], Path], tmp_path: Path
) -> None:
    data = tmp_path / "images"
    data.mkdir()
    damaged = (3, 41, 44, 46)  # of 32 train images, 8 for validation and 8 for the test
    world = World(3, 32)
    for number in range(48):
        world.image(number).save(data / f"{number:02}.png")
        if number in damaged:
            content = bytearray((data / f"{number:02}.png").read_bytes())
            content[60:200] = bytes(140)
            (data / f"{number:02}.png").write_bytes(content)
    with (data / "prompts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image_id", "image", "prompt"))
        rows.writerows([f"{n:02}", f"{n:02}.png", world.prompt(n)] for n in range(48))
    folder = toy_tower("vision-b")
    pairs = f"data={{plugin: pairs, options: {{images: {data}, table: {data / 'prompts.csv'}}}}}"
    small = ("wordings=1", "words=0", "training.epochs=1", "training.batch_size=16")
    trained = train("vision-b.yaml", folder, pairs, *small, "training.most_broken=0.5")
    assert set(trained.fitted.broken) == {"03"}
    assert set(trained.tested.broken) == {"41", "44", "46"}
    card = (folder / "README.md").read_text()
    assert "| training and validation images that cannot be read | 1: '03' |" in card
    assert "| test images that cannot be read | 3: '41', '44', '46' |" in card
