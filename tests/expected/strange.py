"""Images that no prompt of the painter's world made: noise, and gradients like blurred photographs.

Nothing is learned from them; they only check what is flagged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

SIZES = [(64, 64), (128, 128), (96, 160), (224, 224), (320, 200), (512, 512), (37, 91)]


def noise(number: int) -> Image.Image:
    """Uniform, Gaussian, salt and pepper, and grey noise in turn."""
    rng = np.random.default_rng(number)
    width, height = SIZES[number % len(SIZES)]
    shape = (height, width, 3)
    match number % 4:
        case 0:
            pixels = rng.uniform(0, 256, shape)
        case 1:
            pixels = rng.normal(rng.uniform(60, 190), rng.uniform(20, 70), shape)
        case 2:
            pixels = np.full(shape, rng.uniform(0, 256, 3))
            chance, part = rng.random(shape[:2]), rng.uniform(0.03, 0.2)
            pixels[chance < part], pixels[chance > 1 - part] = 0, 255
        case _:
            pixels = np.repeat(rng.uniform(0, 256, (height, width, 1)), 3, axis=2)
    return _image(pixels)


def gradient(number: int) -> Image.Image:
    """Linear and bilinear gradients, blurred blobs, vignettes, and a glow on a sky, in turn."""
    rng = np.random.default_rng(1000 + number)
    width, height = SIZES[number % len(SIZES)]
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    first, second, third, fourth = rng.uniform(0, 256, (4, 3))
    down = ((y + 1) / 2)[..., None]
    sky = first * (1 - down) + second * down
    match number % 5:
        case 0:
            angle = rng.uniform(0, 2 * np.pi)
            along = x * np.cos(angle) + y * np.sin(angle)
            share = ((along - along.min()) / np.ptp(along))[..., None]
            pixels = first * (1 - share) + second * share
        case 1:
            across = ((x + 1) / 2)[..., None]
            pixels = sky * (1 - across) + (third * (1 - down) + fourth * down) * across
        case 2:
            blobs = _image(rng.uniform(0, 256, (*rng.integers(3, 9, 2), 3)))
            large = blobs.resize((width, height), Image.Resampling.BICUBIC)
            return large.filter(ImageFilter.GaussianBlur(min(width, height) / 20))
        case 3:
            dark = 1 - rng.uniform(0.3, 0.65) * (x**2 + y**2)
            pixels = sky * dark.clip(0, 1)[..., None] + rng.normal(0, 3, sky.shape)
        case _:
            right, low = rng.uniform(-0.6, 0.6, 2)
            distance = (x - right) ** 2 + (y - low) ** 2
            glow = np.exp(-distance / rng.uniform(0.05, 0.4))[..., None]
            pixels = sky + 255 * rng.uniform(0.3, 1) * glow
    return _image(pixels)


def write_strange(folder: Path) -> None:
    """50 of each, as PNG files."""
    folder.mkdir()
    for number in range(50):
        noise(number).save(folder / f"noise-{number:02}.png")
        gradient(number).save(folder / f"gradient-{number:02}.png")


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
