"""Finding images, and opening whatever people have as upright RGB."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt._data.decoding import HAS_AVIF
from unprompt._data.images import (
    SUFFIXES,
    Files,
    find_images,
    folder_images,
    open_image,
    unreadable,
)
from unprompt._files.hashing import file_hash
from unprompt.contracts import Images
from unprompt.errors import DataError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def stored(path: Path, what: str) -> object:
    """What Pillow says of the file itself, so that a test knows what it tests."""
    with Image.open(path) as image:
        return getattr(image, what)


def pixel(path: Path, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    opened = open_image(path)
    assert opened.mode == "RGB"
    return opened.getpixel(at)


def small(path: Path, colour: str = "red") -> Path:
    return save(Image.new("RGB", (2, 2), colour), path)


# Modes


def test_rgb_pixels_are_untouched(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = save(Image.fromarray(pixels), tmp_path / "a.png")
    assert np.array_equal(np.asarray(open_image(path)), pixels)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {"pbm", "pgm"}))
def test_every_suffix_opens(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    kind = {"jpe": "JPEG", "jfif": "JPEG", "pnm": "PPM"}.get(suffix)
    save(Image.new("RGB", (8, 8), RED), path, format=kind)
    assert np.allclose(pixel(path), RED, atol=4)


def test_upper_case_suffix_opens(tmp_path: Path) -> None:
    assert pixel(small(tmp_path / "A.PNG")) == RED


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_lies_on_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 128))
    path = save(image, tmp_path / f"a.{suffix}", **({"lossless": True} | {"exact": True}))
    assert pixel(path) == WHITE
    assert pixel(path, (1, 0)) == (255, 127, 127)


def test_grey_with_alpha_lies_on_white(tmp_path: Path) -> None:
    path = save(Image.new("LA", (2, 2), (0, 128)), tmp_path / "a.png")
    assert stored(path, "mode") == "LA"
    assert pixel(path) == (127, 127, 127)


def test_palette_with_alpha_band(tmp_path: Path) -> None:
    path = save(Image.new("PA", (2, 2)), tmp_path / "a.tif")
    assert stored(path, "mode") == "PA"
    assert pixel(path) == WHITE


def palette() -> Image.Image:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putpixel((1, 0), 0)
    return image


def test_palette(tmp_path: Path) -> None:
    path = save(palette(), tmp_path / "a.png")
    assert (pixel(path), pixel(path, (1, 0))) == (RED, (0, 0, 255))


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"], ids=["index", "alphas"])
def test_palette_with_transparency(tmp_path: Path, transparency: object) -> None:
    path = save(palette(), tmp_path / "a.png", transparency=transparency)
    assert (pixel(path), pixel(path, (1, 0))) == (RED, WHITE)


def test_gif_with_transparency(tmp_path: Path) -> None:
    path = save(palette(), tmp_path / "a.gif", transparency=0)
    assert (pixel(path), pixel(path, (1, 0))) == (RED, WHITE)


def test_trns_of_rgb_and_grey(tmp_path: Path) -> None:
    rgb = save(Image.new("RGB", (2, 2), (1, 2, 3)), tmp_path / "a.png", transparency=(1, 2, 3))
    grey = save(Image.new("L", (2, 2), 7), tmp_path / "b.png", transparency=7)
    other = save(Image.new("L", (2, 2), 7), tmp_path / "c.png", transparency=8)
    assert (pixel(rgb), pixel(grey), pixel(other)) == (WHITE, WHITE, (7, 7, 7))


def test_one_bit(tmp_path: Path) -> None:
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    path = save(image, tmp_path / "a.png")
    assert (pixel(path), pixel(path, (1, 0))) == ((0, 0, 0), WHITE)


def ramp() -> np.ndarray:
    return np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(ramp()), tmp_path / f"a.{suffix}")
    grey = np.asarray(open_image(path))[..., 0].ravel()
    assert np.array_equal(grey, np.arange(256))


def test_big_endian_sixteen_bit(tmp_path: Path) -> None:
    path = save(Image.fromarray(ramp().astype(">u2")), tmp_path / "a.tif")
    assert stored(path, "mode") == "I;16B"
    assert np.array_equal(np.asarray(open_image(path))[..., 0].ravel(), np.arange(256))


def test_dark_sixteen_bit_stays_dark(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((2, 2), 257, np.uint16)), tmp_path / "a.png")
    assert pixel(path) == (1, 1, 1)


def test_sixteen_bit_trns_is_white(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((2, 2), 300, np.uint16)), tmp_path / "a.png")
    with Image.open(path) as image:
        keyed = save(image, tmp_path / "b.png", transparency=300)
    assert (pixel(path), pixel(keyed)) == ((1, 1, 1), WHITE)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0, 32768, 65535], [0, 128, 255]),
        ([0, 1_000_000, 2_000_000], [0, 128, 255]),
        ([-32768, 0, 32767], [0, 128, 255]),
        ([0, 0, 0], [0, 0, 0]),
    ],
    ids=["16 bits", "32 bits", "signed", "black"],
)
def test_integer_grey(tmp_path: Path, values: list[int], grey: list[int]) -> None:
    path = save(Image.fromarray(np.array([values], np.int32)), tmp_path / "a.tif")
    assert stored(path, "mode") == "I"
    assert np.allclose(np.asarray(open_image(path))[0, :, 0], grey, atol=1)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0.1, 0.2, 0.2], [26, 51, 51]),
        ([0, 100, 200], [0, 100, 200]),
        ([0, 6553.5, 65535], [0, 26, 255]),
        ([0, 1e6, 2e6], [0, 128, 255]),
        ([-1, 0, 1], [0, 128, 255]),
        ([np.nan, 0.2, np.inf], [0, 51, 0]),
    ],
)
def test_float_grey(tmp_path: Path, values: list[float], grey: list[int]) -> None:
    path = save(Image.fromarray(np.array([values], np.float32)), tmp_path / "a.tif")
    assert stored(path, "mode") == "F"
    assert np.asarray(open_image(path))[0, :, 0].tolist() == grey


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_colour(tmp_path: Path, suffix: str) -> None:
    # Pillow marks its CMYK JPEGs as Adobe's, whose inks are inverted.
    path = save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / f"a.{suffix}")
    assert stored(path, "mode") == "CMYK"
    assert np.allclose(pixel(path), RED, atol=3)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(
        frames[0], tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options
    )
    assert stored(path, "n_frames") == 2
    assert pixel(path) == RED


def test_mpo_of_phones(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = save(
        frames[0], tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:]
    )
    assert stored(path, "format") == "MPO"
    assert np.allclose(pixel(path), RED, atol=4)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_turns(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGB", (16, 8), "red")  # the left half red, the right half blue
    image.paste((0, 0, 255), (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned 90 degrees clockwise
    path = save(image, tmp_path / f"a.{suffix}", exif=exif)
    upright = open_image(path)
    assert upright.size == (8, 16)
    assert np.allclose(upright.getpixel((4, 2)), RED, atol=8)
    assert np.allclose(upright.getpixel((4, 13)), (0, 0, 255), atol=8)


def test_exif_orientation_of_sixteen_bit(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = save(Image.fromarray(ramp()), tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(open_image(path))[..., 0].ravel(), np.arange(256)[::-1])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
def test_broken_exif_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save(Image.new("RGB", (8, 4), RED), path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    assert open_image(path).size == (8, 4)


# Files that are no images


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"x"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text", "not one of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not one of PNG, JPEG"),
        (bomb(), "could be decompression bomb"),
        (b"\x89PNG\r\n\x1a\n", ""),
    ],
    ids=["empty", "text", "postscript", "bomb", "only a signature"],
)
def test_unreadable_content_is_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_image(path)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: cannot be read as an image: ")
    assert why in line
    assert "\n" not in line


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be read as an image"):
        open_image(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image: No such file"):
        open_image(tmp_path / "a.png")
    with pytest.raises(DataError, match="Is a directory"):
        open_image(tmp_path)


# Files


def test_files_is_a_image_source(tmp_path: Path) -> None:
    path = small(tmp_path / "a.png")
    images = Images(("a",), Files({"a": path}))
    assert images.open("a").getpixel((0, 0)) == RED
    assert images.digest("a") == file_hash(path)


def test_files_names_what_it_does_not_have(tmp_path: Path) -> None:
    files = Files({"gone": tmp_path / "gone.png"})
    with pytest.raises(DataError, match="no image for 'b'"):
        files.open("b")
    with pytest.raises(DataError, match=r"gone\.png: cannot be read: No such file"):
        files.digest("gone")


# Finding


def test_folder_is_searched_sorted_and_without_hidden_names(tmp_path: Path) -> None:
    for name in ["b.PNG", "a.jpeg", "sub/c.d.webp", ".hidden.png", ".git/x.png", "._a.png"]:
        small(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    found = find_images([tmp_path])
    assert list(found) == ["a", "b", "sub/c.d"]
    assert found["sub/c.d"] == tmp_path / "sub/c.d.webp"


def test_a_folder_below_a_hidden_one_is_searched(tmp_path: Path) -> None:
    small(tmp_path / ".cache/images/a.png")
    assert list(find_images([tmp_path / ".cache/images"])) == ["a"]


def test_file_and_glob_ids_are_names(tmp_path: Path) -> None:
    small(tmp_path / "x/b.png")
    small(tmp_path / "x/a.png")
    (tmp_path / "x/notes.txt").write_text("no image")
    assert list(find_images([str(tmp_path / "x/b.png"), f"{tmp_path}/x/*"])) == ["b", "a"]
    assert list(find_images([f"{tmp_path}/**/*.png"])) == ["a", "b"]


def test_a_name_with_glob_characters_is_a_file_first(tmp_path: Path) -> None:
    path = small(tmp_path / "a[1].png")
    assert find_images([path]) == {"a[1]": path}


def test_a_named_file_needs_no_suffix(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (2, 2), RED), tmp_path / "image", format="PNG")
    assert find_images([path]) == {"image": path}


def test_same_file_twice_is_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(tmp_path / "pics/sub/a.png")
    os.symlink(tmp_path / "pics", tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    arguments = ["pics", "pics/sub/a.png", tmp_path / "pics", "link", "./pics/sub/../sub/a.png"]
    assert find_images(arguments) == {"sub/a": Path("pics/sub/a.png")}


def test_shared_id_in_one_folder_names_both(tmp_path: Path) -> None:
    first, second = small(tmp_path / "a.jpg"), small(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path])
    assert caught.value.problems == (f"'{first}', '{second}' share the id 'a': rename one of them",)


def test_shared_id_of_two_folders_names_the_way_out(tmp_path: Path) -> None:
    for number in range(8):
        small(tmp_path / f"x/{number}.png")
        small(tmp_path / f"y/{number}.png")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path / "x", tmp_path / "y"])
    assert len(caught.value.problems) == 6
    assert f"name the one folder {tmp_path} instead" in caught.value.problems[0]
    assert caught.value.problems[-1] == "3 more ids are shared"
    assert len(find_images([tmp_path])) == 16


def test_arguments_without_a_image(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path, tmp_path / "gone.png", f"{tmp_path}/*.png"])
    folder, gone, pattern = caught.value.problems
    assert folder.startswith(f"{tmp_path}: no image in this folder (")
    assert gone == f"{tmp_path}/gone.png: no such file or folder"
    assert pattern == f"{tmp_path}/*.png: no image matches"
    with pytest.raises(DataError, match="no image, folder or glob was named"):
        find_images([])


def test_folder_images(tmp_path: Path) -> None:
    small(tmp_path / "b.png", "blue")
    small(tmp_path / "a.png")
    images = folder_images([tmp_path])
    assert images.ids == ("a", "b")
    assert images.open("b").getpixel((0, 0)) == (0, 0, 255)


def test_suffixes_are_those_of_this_pillow() -> None:
    assert {"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"} <= SUFFIXES
    assert ("avif" in SUFFIXES) == HAS_AVIF


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_unreadable_names_only_the_broken(tmp_path: Path, workers: int) -> None:
    small(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("text")
    (tmp_path / "c.png").write_bytes(b"")
    problems = unreadable(folder_images([tmp_path]), workers)
    assert list(problems) == ["b", "c"]
    assert problems["c"] == (f"{tmp_path}/c.png: cannot be read as an image: the file is empty")
