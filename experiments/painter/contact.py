"""Contact sheets of the painter world: images with their prompts under them.

Run ``python experiments/painter/contact.py --seed 1 --count 40 --output sheet.png``.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from unprompt_painter.world import World

MARGIN = 6
LINE = 11
LETTER = 6.2  # pixels of a letter of Pillow's built-in font, on average
LINES = 6


def contact_sheet(world: World, indices: Sequence[int], columns: int = 8) -> Image.Image:
    """Returns images of a world in rows, each with its wrapped prompt under it (RGB)."""
    width, height = world.size + MARGIN, world.size + MARGIN + LINE * LINES
    rows = -(-len(indices) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for position, index in enumerate(indices):
        x, y = position % columns * width, position // columns * height
        sheet.paste(world.image(index), (x, y))
        lines = textwrap.wrap(world.prompt(index), max(8, int(world.size / LETTER)))[:LINES]
        for number, line in enumerate(lines):
            pen.text((x, y + world.size + 1 + number * LINE), line, (20, 20, 20))
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a contact sheet as the command line asks."""
    parser = argparse.ArgumentParser(description="Draw a sheet of images and their prompts.")
    parser.add_argument("--seed", type=int, default=1, help="seed of the world")
    parser.add_argument("--start", type=int, default=0, help="number of the first image")
    parser.add_argument("--count", type=int, default=40, help="how many images")
    parser.add_argument("--columns", type=int, default=8, help="images in a row")
    parser.add_argument("--size", type=int, default=128, help="pixels of an image's side")
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write")
    chosen = parser.parse_args(arguments)
    indices = range(chosen.start, chosen.start + chosen.count)
    contact_sheet(World(chosen.seed, chosen.size), indices, chosen.columns).save(chosen.output)


if __name__ == "__main__":
    main()
