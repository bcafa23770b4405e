"""Patterns for filters: which cell each pixel belongs to, and grain; made once in a process."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

PIXELS = 128
"""Width and height of the images that filters work on."""

Cells = npt.NDArray[np.intp]

VARIANTS = 6
"""How many random patterns of a kind there are."""


def cells_of(variant: int, pattern: tuple[float, ...]) -> Cells:
    """Returns the cell of each pixel, of shape (PIXELS * PIXELS,).

    Args:
        variant: Which of the random patterns.
        pattern: The number of patches and how much longer than wide they are, 1 if it ends before;
            empty for triangles.
    """
    return _patches(variant, *pattern) if pattern else _triangles(variant)



@cache
def _triangles(variant: int) -> Cells:
    """Returns the triangle of each pixel, between wavy lines in two directions."""
    rng = np.random.default_rng(variant)
    step = PIXELS / 26
    y, x = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)
    phase = rng.uniform(0, 6, 4)
    x = x + 1.6 * np.sin(y / 9 + phase[0]) + 1.2 * np.sin(y / 4.3 + phase[1]) + 8
    y = y + 1.6 * np.sin(x / 8 + phase[2]) + 1.2 * np.sin(x / 4.7 + phase[3]) + 8
    column, row = np.floor(x / step), np.floor(y / step)
    across, down = x / step - column, y / step - row
    slant = (column + row) % 2 == 0
    upper = np.where(slant, across > down, across + down < 1)
    label = ((row * 64 + column) * 2 + upper).astype(int)
    return np.unique(label.ravel(), return_inverse=True)[1].reshape(-1)


@cache
def _patches(variant: int, count: int, stretch: float = 1.0) -> Cells:
    """Returns the nearest of ``count`` random points for each pixel; each lies in a direction."""
    rng = np.random.default_rng(variant)
    centre = rng.uniform(0, PIXELS, (count, 2))
    turn = rng.uniform(-0.6, 1.2, count)
    y, x = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)  # (PIXELS, PIXELS) each
    best = np.full((PIXELS, PIXELS), np.inf)
    label = np.zeros((PIXELS, PIXELS), int)
    # Only pixels around a point can belong to it: far ones always have a nearer one.
    reach = int(5 * stretch * PIXELS / count**0.5) + 1
    for place, (row, column) in enumerate(centre):
        near = (
            slice(max(0, int(row) - reach), int(row) + reach),
            slice(max(0, int(column) - reach), int(column) + reach),
        )
        down, across = y[near] - row, x[near] - column
        along = down * np.sin(turn[place]) + across * np.cos(turn[place])
        aside = down * np.cos(turn[place]) - across * np.sin(turn[place])
        distance = (along / stretch) ** 2 + aside**2
        label[near][distance < best[near]] = place
        best[near] = np.minimum(best[near], distance)
    return np.unique(label.ravel(), return_inverse=True)[1].reshape(-1)


@cache
def borders(variant: int, pattern: tuple[float, ...]) -> Image.Image:
    """Returns the lines between cells: mode L, 255 on a line, PIXELS by PIXELS."""
    label = cells_of(variant, pattern).reshape(PIXELS, PIXELS)
    line = np.zeros((PIXELS, PIXELS), bool)
    line[:, 1:] |= label[:, 1:] != label[:, :-1]
    line[1:] |= label[1:] != label[:-1]
    line[:, :-1] |= line[:, 1:]
    return Image.fromarray(line * np.uint8(255))


def cell_means(image: Image.Image, cells: Cells) -> Image.Image:
    """Returns an RGB image with every cell in its mean colour."""
    pixels = np.asarray(image).reshape(-1, 3)
    sizes = np.bincount(cells)
    sums = [np.bincount(cells, pixels[:, channel]) for channel in range(3)]
    means = (np.stack(sums, axis=1) / sizes[:, None]).astype(np.uint8)  # (cells, 3)
    return Image.fromarray(means[cells].reshape(PIXELS, PIXELS, 3))


def cell_tones(cells: Cells, low: int, step: int, span: int) -> Image.Image:
    """Returns a grey for every cell, from ``low`` up to ``low + span``: mode L."""
    tones = (low + np.arange(cells.max() + 1) * step % span).astype(np.uint8)
    return Image.fromarray(tones[cells].reshape(PIXELS, PIXELS))


@cache
def grain(variant: int, low: int, high: int, coarse: int = 1) -> Image.Image:
    """Returns noise between two tones (mode RGB, grey), as single pixels or smooth spots."""
    rng = np.random.default_rng(variant)
    side = PIXELS // coarse
    noise = rng.integers(low, high + 1, (side, side), dtype=np.uint8)
    image = Image.fromarray(noise).convert("RGB")
    return image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
