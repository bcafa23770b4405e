"""Opening one image file of any format and mode as upright RGB of 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from unprompt.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

HAS_AVIF = bool(features.check("avif"))
"""Whether this Pillow reads AVIF."""

# Only these decoders: Pillow also knows formats that start other programs (EPS: Ghostscript).
# JPEG includes the MPO of phones.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", *["AVIF"] * HAS_AVIF)


def open_image(path: Path) -> Image.Image:
    """Open an image as viewers show it: EXIF orientation applied, transparency on white, 8 bits.

    Deep greyscale is scaled, never clipped: white is 65535 for integers and 1, 255 or 65535 for
    floats (the first that holds every value); beyond these the brightest value is white, and
    where there are negative ones the darkest is black. Animations give their first frame.

    Returns:
        Mode RGB, in the size of the file's image; the file is closed.

    Raises:
        DataError: The file is missing, truncated, not an image, or a decompression bomb.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.load()
            return _rgb(_upright(image))
    except Exception as error:  # decoders raise many kinds of errors on broken bytes
        why = _why(error, path)
        raise DataError(f"{path}: cannot be read as an image: {why}") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  # broken EXIF does not affect the pixels, and viewers ignore it too
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        foreground = image.convert("RGBA")
        white = Image.new("RGBA", foreground.size, "white")
        return Image.alpha_composite(white, foreground).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Deep greyscale of shape (H, W), scaled to 0..255; `open_image` defines white."""
    raw = np.asarray(image)
    values = np.where(np.isfinite(raw), raw, 0).astype(np.float64)
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    low, high = min(0.0, values.min()), values.max()
    white = next((level for level in levels if low == 0 and high <= level), high)
    scaled = (values - low) * (255 / ((white - low) or 1))
    grey: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    # A PNG may declare one grey level as transparent, which Pillow does not apply.
    if "transparency" in image.info:
        grey[raw == image.info["transparency"]] = 255
    return grey


def _why(error: Exception, path: Path) -> str:
    """One line on what is wrong with the file."""
    if isinstance(error, UnidentifiedImageError):
        empty = path.stat().st_size == 0
        return "the file is empty" if empty else f"not one of {', '.join(_FORMATS)}"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split()) or type(error).__name__
