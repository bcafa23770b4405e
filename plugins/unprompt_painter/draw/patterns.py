"""Patterns for filters, in several variants: cells that pixels belong to, and grain."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

PIXELS = 128
"""Width and height of the images that filters work on."""

Cells = npt.NDArray[np.intp]


@cache
def _cells(variant: int, *pattern: float) -> Cells:
    """Returns the cell of each pixel, numbered from 0, of shape (PIXELS * PIXELS,).

    A pattern is a number of patches and, where it is not 1, how much longer than wide they are; no
    number stands for triangles. The variant is the seed of what is random in it.
    """
    rng = np.random.default_rng(variant)
    labels = _patches(rng, *pattern) if pattern else _triangles(rng)
    return np.unique(labels.ravel(), return_inverse=True)[1].reshape(-1)


def _triangles(rng: np.random.Generator) -> Cells:
    """Returns the triangle of each pixel, between wavy lines in two directions."""
    step = PIXELS / 26
    y, x = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)
    phase = rng.uniform(0, 6, 4)
    x = x + 1.6 * np.sin(y / 9 + phase[0]) + 1.2 * np.sin(y / 4.3 + phase[1]) + 8
    y = y + 1.6 * np.sin(x / 8 + phase[2]) + 1.2 * np.sin(x / 4.7 + phase[3]) + 8
    column, row = np.floor(x / step), np.floor(y / step)
    across, down = x / step - column, y / step - row
    slant = (column + row) % 2 == 0
    upper = np.where(slant, across > down, across + down < 1)
    label: Cells = ((row * 64 + column) * 2 + upper).astype(int)
    return label


def _patches(rng: np.random.Generator, count: float, stretch: float = 1.0) -> Cells:
    """Returns the nearest of ``count`` random points for each pixel; each lies in a direction."""
    centre = rng.uniform(0, PIXELS, (int(count), 2))
    turn = rng.uniform(-0.6, 1.2, int(count))
    y, x = np.mgrid[0:PIXELS, 0:PIXELS].astype(float)  # (PIXELS, PIXELS) each
    best = np.full((PIXELS, PIXELS), np.inf)
    label = np.zeros((PIXELS, PIXELS), int)
    # Only pixels around a point can belong to it: far ones always have a nearer one.
    reach = int(5 * stretch * PIXELS / count**0.5) + 1
    for patch, (row, column) in enumerate(centre):
        near = (
            slice(max(0, int(row) - reach), int(row) + reach),
            slice(max(0, int(column) - reach), int(column) + reach),
        )
        down, across = y[near] - row, x[near] - column
        along = down * np.sin(turn[patch]) + across * np.cos(turn[patch])
        aside = down * np.cos(turn[patch]) - across * np.sin(turn[patch])
        distance = (along / stretch) ** 2 + aside**2
        label[near][distance < best[near]] = patch
        best[near] = np.minimum(best[near], distance)
    return label


def borders(variant: int, *pattern: float) -> Image.Image:
    """Returns the lines between cells: mode L, 255 on a line."""
    label = _cells(variant, *pattern).reshape(PIXELS, PIXELS)
    line = np.zeros((PIXELS, PIXELS), bool)
    line[:, 1:] |= label[:, 1:] != label[:, :-1]
    line[1:] |= label[1:] != label[:-1]
    line[:, :-1] |= line[:, 1:]
    return Image.fromarray(line * np.uint8(255))


def means(image: Image.Image, variant: int, *pattern: float) -> Image.Image:
    """Returns an RGB image with every cell in its mean colour."""
    cells = _cells(variant, *pattern)
    pixels = np.asarray(image).reshape(-1, 3)
    sums = [np.bincount(cells, pixels[:, channel]) for channel in range(3)]
    means = np.stack(sums, axis=1) / np.bincount(cells)[:, None]  # (cells, 3)
    return Image.fromarray(means.astype(np.uint8)[cells].reshape(PIXELS, PIXELS, 3))


def tones(variant: int, low: float, step: float, span: float, *pattern: float) -> Image.Image:
    """Returns a grey for every cell, from ``low`` up to ``low + span``: mode L."""
    cells = _cells(variant, *pattern)
    greys = (low + np.arange(cells.max() + 1) * step % span).astype(np.uint8)
    return Image.fromarray(greys[cells].reshape(PIXELS, PIXELS))


def grain(variant: int, low: float, high: float, coarse: float = 1) -> Image.Image:
    """Returns noise between two tones (mode RGB, grey), as single pixels or smooth spots."""
    rng = np.random.default_rng(variant)
    side = PIXELS // int(coarse)
    noise = rng.integers(int(low), int(high) + 1, (side, side), dtype=np.uint8)
    image = Image.fromarray(noise).convert("RGB")
    return image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
