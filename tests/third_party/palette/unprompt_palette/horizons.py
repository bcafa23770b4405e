"""Images of two colours, drawn when they are opened."""

import zlib
from collections.abc import Mapping, Sequence
from random import Random

from PIL import Image

from unprompt import DataError, Dataset, Images, Record

from .plugin_horizons import HorizonOptions

COLOURS = {
    "crimson": (160, 20, 50),
    "scarlet": (240, 40, 10),
    "amber": (250, 190, 10),
    "lemon": (250, 245, 90),
    "olive": (120, 125, 20),
    "emerald": (10, 150, 80),
    "teal": (10, 125, 130),
    "turquoise": (60, 220, 210),
    "navy": (15, 20, 110),
    "violet": (120, 50, 200),
    "magenta": (220, 20, 190),
    "charcoal": (45, 45, 50),
}
SKIES = ("sky", "heaven", "evening")
SEAS = ("sea", "ocean", "water")


class Horizons(Dataset):
    """Every image has its colours and its horizon from its number."""

    def __init__(self, options: HorizonOptions) -> None:
        self.options = options
        self.ids = tuple(f"horizon-{i:04d}" for i in range(options.images))

    def records(self) -> tuple[Record, ...]:
        rows = []
        for name in self.ids:
            sky, sea, random = self._choice(name)
            prompt = self._prompt(sky, sea, random)
            rows.append(Record(name, f"{zlib.crc32(prompt.encode()):08x}", prompt, f"{sky}-{sea}"))
        return tuple(rows)

    def images(self) -> Images:
        return Images(self.ids, self)

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]]:
        """The colours are seen, the nouns are not."""
        wordings = {}
        for name in image_ids:
            sky, sea, _ = self._choice(name)
            random = Random(f"{name}/wordings")
            wordings[name] = [self._prompt(sky, sea, random) for _ in range(count)]
        return wordings

    def open(self, image_id: str) -> Image.Image:
        """Called from several threads at once: nothing is kept."""
        if image_id not in self.ids:
            raise DataError(f"no image for {image_id!r}")
        sky, sea, random = self._choice(image_id)
        side = self.options.size
        image = Image.new("RGB", (side, side), COLOURS[sky])
        horizon = random.randint(side // 4, 3 * side // 4)
        image.paste(COLOURS[sea], (0, horizon, side, side))
        return image

    def digest(self, image_id: str) -> str:
        return f"horizons-1/{self.options.size}/{image_id}"

    @staticmethod
    def _choice(name: str) -> tuple[str, str, Random]:
        random = Random(name)
        sky, sea = random.sample(sorted(COLOURS), 2)
        return sky, sea, random

    @staticmethod
    def _prompt(sky: str, sea: str, random: Random) -> str:
        return f"{sky} {random.choice(SKIES)} above {sea} {random.choice(SEAS)}"
