"""Opening one image file of any format and mode as upright RGB of 8 bits."""

from __future__ import annotations

from io import BytesIO
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from unprompt._data.kinds import FORMATS
from unprompt._data.png import SIGNATURE, is_png, without_texts, without_texts_of
from unprompt._data.quiet import without_warnings
from unprompt._data.shape import STRIP, WHOLE, alone, check_shape, strips
from unprompt._data.walking import special_file
from unprompt._files.paths import shown
from unprompt._files.reading import POINTER, is_pointer
from unprompt.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the image upright."""


def open_image(path: Path) -> Image.Image:
    """Open an image as viewers show it: EXIF orientation applied, transparency on white, 8 bits.

    Deep greyscale is scaled, never clipped: white is 65535 for integers and 1, 255 or 65535 for
    floats (the first that holds every value); beyond these the brightest value is white, and
    where there are negative ones the darkest is black. Animations give their first frame. An
    image of more than `WHOLE` pixels comes at half its size, each pixel the mean of four, which
    keeps its memory below 1 GB.

    Returns:
        Mode RGB; the file is closed.

    Raises:
        DataError: The file is missing, truncated, not an image, a strip (`LONGEST`), or a
            decompression bomb.
    """
    return _opened(path)[0]


def open_bytes(content: bytes, name: str) -> Image.Image:
    """An image file that is in memory, as `open_image` opens one on disk.

    Args:
        content: The whole file.
        name: How error lines name it.

    Raises:
        DataError: As `open_image`.
    """
    try:
        with without_warnings():
            try:
                return _decoded(BytesIO(content))[0]
            except ValueError:  # as in `_opened`
                if not content.startswith(SIGNATURE):
                    raise
            with without_texts_of(BytesIO(content)) as copy:
                return _decoded(copy)[0]
    except Exception as error:  # decoders raise many kinds of errors on broken bytes
        empty = "it is empty" if not content else None
        why = empty if isinstance(error, UnidentifiedImageError) else None
        raise DataError(f"{name}: cannot be read as an image: {why or _why(error)}") from error


def upright(image: Image.Image) -> Image.Image:
    """An image of Pillow, left as it is, as `open_image` gives one from a file.

    Raises:
        ValueError: Its size is not read. Others as its decoder, where it was not decoded yet.
    """
    width, height = image.size
    check_shape(width, height, image.format)
    with without_warnings(), alone(width * height):
        image.load()
        return _upright(image, halve=width * height > WHOLE)


def checked_image(path: Path) -> str | None:
    """Open an image once: what is to be said of how it is read. Raises as `open_image`."""
    _, size = _opened(path)
    return halved(shown(path), *size)


def halved(name: str, width: int, height: int) -> str | None:
    """What is to be said of an image that is read at half its size; None of others."""
    if width * height <= WHOLE:
        return None
    size = f"{width} x {height} pixels ({width * height / 1e6:.0f} megapixels)"
    return f"{name}: {size}: read at half its size"


def _opened(path: Path) -> tuple[Image.Image, tuple[int, int]]:
    """The image, and the size of the file's image."""
    if problem := special_file(path):  # a FIFO would be waited for
        raise DataError(f"{shown(path)}: cannot be read as an image: {problem}")
    try:
        with without_warnings():
            try:
                return _decoded(path)
            except ValueError:  # Pillow's limit of texts and profiles, among others
                if not is_png(path):
                    raise
            with without_texts(path) as copy:
                return _decoded(copy)
    except Exception as error:  # decoders raise many kinds of errors on broken bytes
        why = _why(error, path)
        raise DataError(f"{shown(path)}: cannot be read as an image: {why}") from error


def _decoded(file: Path | IO[bytes]) -> tuple[Image.Image, tuple[int, int]]:
    with Image.open(file, formats=FORMATS) as image:
        size = width, height = image.size
        check_shape(width, height, image.format)
        with alone(width * height):
            if width * height > WHOLE:
                image.draft(None, (width // 2, height // 2))  # JPEG is decoded at half its size
            image.load()
            halve = image.size == size and width * height > WHOLE
            return _upright(image, halve=halve, close=True), size


def _upright(image: Image.Image, *, halve: bool, close: bool = False) -> Image.Image:
    """A decoded image as upright RGB; closed as soon as its pixels are no longer needed."""
    turn = _turn(image)
    rgb = _rgb(image, halve=halve)
    if close:
        image.close()
    if turn is not None:
        rgb = rgb.transpose(turn)
    rgb.info = {}  # where the orientation still stands: it would be turned again
    return rgb


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the image upright."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  # broken EXIF does not affect the pixels, and viewers ignore it too
        return None


def _rgb(image: Image.Image, *, halve: bool) -> Image.Image:
    """RGB of 8 bits, converted strip by strip, at half the size if wanted."""
    grey = _Grey(image) if _is_deep(image) else None
    width, height = image.size
    if not halve and width * height <= STRIP:
        return _converted(image, grey)
    rgb = Image.new("RGB", ((width + 1) // 2, (height + 1) // 2) if halve else (width, height))
    for top, strip in strips(image):
        part = _converted(strip, grey)
        rgb.paste(part.reduce(2) if halve else part, (0, top // 2 if halve else top))
    return rgb


def _converted(image: Image.Image, grey: _Grey | None) -> Image.Image:
    if grey is not None:
        return Image.fromarray(grey.eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        foreground = image.convert("RGBA")
        white = Image.new("RGBA", foreground.size, "white")
        return Image.alpha_composite(white, foreground).convert("RGB")
    return image.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


class _Grey:
    """Scales deep greyscale to 0..255; `open_image` defines white."""

    def __init__(self, image: Image.Image) -> None:
        """Find black and white, over all strips."""
        levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        lows, highs = zip(*(_ends(strip) for _, strip in strips(image)), strict=True)
        high = max(highs)
        self._low = min(0.0, *lows)
        whites = (level for level in levels if self._low == 0 and high <= level)
        self._white = next(whites, high)
        # A PNG may declare one grey level as transparent, which Pillow does not apply.
        self._transparent = image.info.get("transparency")

    def eight_bits(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """A strip of shape (H, W), scaled."""
        raw = np.asarray(image)
        scaled = (_finite(raw) - self._low) * (255 / ((self._white - self._low) or 1))
        grey: npt.NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
        if self._transparent is not None:
            grey[raw == self._transparent] = 255
        return grey


def _ends(strip: Image.Image) -> tuple[float, float]:
    """The lowest and highest value."""
    values = _finite(np.asarray(strip))
    return float(values.min()), float(values.max())


def _finite(raw: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """The values, 0 where they are no numbers."""
    values: npt.NDArray[np.float64] = np.where(np.isfinite(raw), raw, 0).astype(np.float64)
    return values


def _why(error: Exception, path: Path | None = None) -> str:
    """One line on what is wrong with the file, or with bytes."""
    if isinstance(error, UnidentifiedImageError):
        if path is not None and is_pointer(path):
            return POINTER
        if path is not None and _is_empty(path):
            return "the file is empty"
        return f"not one of {', '.join(FORMATS)}"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels (a decompression bomb?)"
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:  # gone by now
        return False
