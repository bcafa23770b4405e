"""Contact sheets: pictures with their prompts under them.

Run ``python -m unprompt_painter.contact --seed 1 --count 40 --output sheet.png``.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt_painter.world import World

if TYPE_CHECKING:
    from PIL import Image

MARGIN = 6
LINE = 11
LETTER = 6.2  # pixels of a letter of Pillow's built-in font, on average
LINES = 6


def contact_sheet(world: World, indices: Sequence[int], columns: int = 8) -> Image.Image:
    """Draws pictures in rows, each with its wrapped prompt under it.

    Args:
        world: Where prompts and pictures come from.
        indices: Which pictures, in order.
        columns: Pictures in a row.

    Returns:
        An RGB image.
    """
    from PIL import Image, ImageDraw

    width, height = world.size + MARGIN, world.size + MARGIN + LINE * LINES
    rows = -(-len(indices) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for place, index in enumerate(indices):
        x, y = place % columns * width, place // columns * height
        sheet.paste(world.picture(index), (x, y))
        lines = textwrap.wrap(world.prompt(index), max(8, int(world.size / LETTER)))[:LINES]
        for number, line in enumerate(lines):
            pen.text((x, y + world.size + 1 + number * LINE), line, (20, 20, 20))
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a contact sheet as the command line asks."""
    parser = argparse.ArgumentParser(description="Draw a sheet of pictures and their prompts.")
    parser.add_argument("--seed", type=int, default=1, help="seed of the world")
    parser.add_argument("--start", type=int, default=0, help="number of the first picture")
    parser.add_argument("--count", type=int, default=40, help="how many pictures")
    parser.add_argument("--columns", type=int, default=8, help="pictures in a row")
    parser.add_argument("--size", type=int, default=128, help="pixels of a picture's side")
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write")
    chosen = parser.parse_args(arguments)
    indices = range(chosen.start, chosen.start + chosen.count)
    contact_sheet(World(chosen.seed, chosen.size), indices, chosen.columns).save(chosen.output)


if __name__ == "__main__":
    main()
