"""Every file of a folder is found as an image, or left out with a reason that is said."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

from unprompt._data.checking import readable
from unprompt._data.found import Found, LeftOut, Report
from unprompt._data.image_input import as_images
from unprompt._data.images import find_images
from unprompt._data.predictions import read_predictions
from unprompt.errors import DataError

SaveImage = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def reasons(found: Found, folder: Path) -> dict[str, str]:
    """Each file that is left out, below ``folder``, with the reason."""
    return {file.path.removeprefix(f"{folder}/"): file.reason for file in found.left_out}


@pytest.fixture
def traps(tmp_path: Path, save_image: SaveImage) -> Path:
    """A folder with everything that a folder of images may hold."""
    folder = tmp_path / "traps"
    for name in ("a.png", "sub/b.JPG", "photo.apng", "bare", "c.heic"):
        save_image(folder / name, format="JPEG" if name.endswith("JPG") else "PNG")
    save_image(tmp_path / "other/d.png")
    save_image(folder / ".hidden.png")
    save_image(folder / ".git/objects/e.png")
    (folder / "linked").symlink_to(tmp_path / "other")
    (folder / "file.png").symlink_to(tmp_path / "other/d.png")
    (folder / "dangling.png").symlink_to(tmp_path / "gone.png")
    (folder / "dangling").symlink_to(tmp_path / "gone")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "sub/up").symlink_to(folder)
    (folder / "above").symlink_to(tmp_path)
    (folder / "again").symlink_to(folder / "sub")
    (folder / "notes.txt").write_text("no image")
    (folder / "rows.json").write_text("{}")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "LICENSE").write_text("BM is no bitmap")
    (folder / "empty").touch()
    (folder / "empty.png").touch()
    (folder / "page.jpg").write_text("<html></html>")
    (folder / "drawing.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "phone.HEIC").write_bytes(HEIC)
    (folder / "phone").write_bytes(HEIC)
    (folder / "new.jxl").write_bytes(b"\xff\x0a\0\0")
    (folder / "raw.dng").write_bytes(b"II*\0\x08\0\0\0")
    whole = save_image(folder / "cut.png")
    whole.write_bytes(whole.read_bytes()[:40])
    Image.new("RGB", (1, 501)).save(folder / "strip.png")
    os.mkfifo(folder / "fifo.png")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(b"")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_bytes(b"")
    return folder


def test_every_trap_is_predicted_skipped_or_left_out(traps: Path) -> None:
    # Links to folders are followed, or are one file that is left out.
    everything = [path for path in traps.rglob("*") if not path.is_dir() or path.is_symlink()]
    followed = {traps / "linked": 1}
    files = len(everything) + sum(followed.values()) - len(followed)
    checked = readable(as_images(traps), 2, skip=True)
    assert set(checked.images.ids) == {
        "a", "sub/b", "photo", "bare", "c", "file", "linked/d"
    }  # fmt: skip
    left_out = checked.report.left_out
    assert len(checked.images) + len(left_out) == files
    assert len({file.path for file in left_out}) == len(left_out)
    errors = {Path(file.path).name for file in left_out if file.error}
    assert errors == {
        "empty.png", "page.jpg", "drawing.png", "cut.png", "strip.png", "caf\\xe9.png"
    }  # fmt: skip
    total = checked.report.lines(len(checked.images))[-1]
    others = len(left_out) - len(errors)
    assert total == f"{files} files: 7 predicted, {len(errors)} skipped, {others} left out"


def test_the_reasons_are_those(traps: Path) -> None:
    why = reasons(find_images([traps]), traps)
    searched = "a link to a folder that is searched already"
    expected = {
        "dangling.png": "a link to nothing",
        "dangling": "a link to nothing",
        "fifo": "a FIFO and no file",
        "s": "a socket and no file",
        "above": searched,
        "again": searched,
        "sub/up": searched,
        ".git/objects/e.png": "hidden",
        "caf\\xe9.png": "the name is not UTF-8: rename it",
        "caf\\xe9.txt": "not an image",
        "Thumbs.db": "not an image",
        "empty": "not an image",
    }
    assert {name: why[name] for name in expected} == expected
    assert why["circle.png"] == "a link that leads in a circle"
    assert "HEIC is not one of PNG" in why["phone"]
    assert "JPEG XL is not one of PNG" in why["new.jxl"]
    assert "DNG is not one of PNG" in why["raw.dng"]


def test_without_skipping_all_of_them_are_listed(traps: Path) -> None:
    with pytest.raises(DataError) as caught:
        readable(as_images(traps), 2, skip=False)
    *problems, hint = caught.value.problems
    assert len(problems) == 6
    assert any(line.startswith(f"{traps}/caf\\xe9.png: the name is not UTF-8") for line in problems)
    assert hint == "skip_unreadable (--skip-unreadable) leaves these out"


def test_lists_are_bounded_and_counted(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02d}.png").touch()
        (tmp_path / f"{number:02d}.txt").touch()
    with pytest.raises(DataError) as caught:
        readable(as_images(tmp_path), 2, skip=False)
    assert len(caught.value.problems) == 22
    assert caught.value.problems[20] == "10 more cannot be read"
    files = [LeftOut(f"{i}.txt", "not an image") for i in range(30)]
    line, total = Report(tuple(files)).lines(2)
    assert line == (
        "left out, not an image: 30 files (30 .txt): '0.txt', '1.txt', '2.txt', '3.txt', '4.txt' "
        "and 25 more"
    )
    assert total == "32 files: 2 predicted, 0 skipped, 30 left out"
    assert Report().lines(2) == []


def test_a_glob_says_the_same(traps: Path) -> None:
    found = find_images([f"{traps}/**/*.png"])
    assert set(found.paths) == {"a", "d", "file", "empty", "drawing", "cut", "strip"}
    assert set(reasons(found, traps)) == {
        "dangling.png", "circle.png", "fifo.png", "caf\\xe9.png"
    }  # fmt: skip
    found = find_images([f"{traps}/*"])
    assert "bare" in found.paths
    assert reasons(found, traps)["sub"] == "a folder that is not searched"


def test_links_that_multiply_are_searched_once(tmp_path: Path, save_image: SaveImage) -> None:
    folder = tmp_path
    for _ in range(40):  # 2 ** 40 paths
        below = folder / "x"
        below.mkdir()
        (folder / "y").symlink_to(below)
        (folder / "z").symlink_to(tmp_path)
        folder = below
    save_image(folder / "a.png")
    for argument in (str(tmp_path), f"{tmp_path}/**/*.png"):
        found = find_images([argument])
        assert list(found.paths.values()) == [folder / "a.png"]


def test_an_empty_argument_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_image: SaveImage
) -> None:
    save_image(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="a path is empty"):
        find_images([""])
    assert list(find_images(["."]).paths) == ["a"]


@pytest.mark.parametrize(
    "argument", ["x" * 300, "a\0b", "~nobody-here/a.png", "\ud800.png", "caf\udce9.png", "x" * 5000]
)
def test_an_argument_that_cannot_be_a_path_is_one_line(argument: str) -> None:
    with pytest.raises(DataError) as caught:
        find_images([argument])
    (line,) = caught.value.problems
    assert line.isprintable()
    assert len(line) < 300


def test_names_that_are_not_utf8_are_skipped_as_arguments(
    tmp_path: Path, save_image: SaveImage
) -> None:
    named = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9")
    Path(named).write_bytes(save_image(tmp_path / "a.png").read_bytes())
    Path(folder).mkdir()
    checked = readable(as_images([named, folder, tmp_path / "a.png"]), 1, skip=True)
    assert checked.report.lines(1) == [
        f"skipped: {tmp_path}/caf\\xe9.png: the name is not UTF-8: rename it",
        f"skipped: {tmp_path}/d\\xe9: the name is not UTF-8: rename it",
        "2 files: 1 predicted, 1 skipped, 0 left out; 1 folder cannot be searched",
    ]


def test_an_image_that_goes_after_it_was_found(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "a.png")
    gone = save_image(tmp_path / "b.png")
    given = as_images(tmp_path)
    gone.unlink()
    checked = readable(given, 1, skip=True)
    assert checked.images.ids == ("a",)
    assert checked.skipped == {"b": f"{gone}: cannot be read as an image: no such file"}


def test_paths_and_images_are_mixed(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "x/a.png")
    memory = Image.new("RGB", (3, 3), "blue")
    given = as_images([tmp_path / "x", memory, save_image(tmp_path / "b.png", "white")])
    assert given.images.ids == ("a", "b", "image-1")
    assert given.images.open("image-1").getpixel((0, 0)) == (0, 0, 255)
    assert given.images.open("b").getpixel((0, 0)) == (255, 255, 255)
    assert len({given.images.digest(name) for name in given.images.ids}) == 3
    save_image(tmp_path / "x/image-1.png")
    with pytest.raises(DataError, match="share the ids 'image-1'"):
        as_images([tmp_path / "x", memory])


def test_predict_says_what_it_left_out(
    unprompt: Command, small_folder: Path, traps: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    done = unprompt("predict", small_folder, traps, "--output", output)
    assert done.returncode == 2
    assert not output.exists()
    done = unprompt("predict", small_folder, traps, "--skip-unreadable", "--output", output)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert sum(line.startswith("skipped: ") for line in lines) == 6
    assert "34 files: 7 predicted, 6 skipped, 21 left out" in lines
    assert len(read_predictions(output)) == 7


FIND = """
import sys
from unprompt._data.images import find_images
for argument in sys.argv[1:]:
    found = find_images([argument])
    print(sorted(found.paths), [(f.path, f.reason, f.error, f.listed) for f in found.left_out])
"""


def as_anybody() -> list[str]:
    """Words before a command that take away what root may do."""
    if os.getuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and setpriv is not installed")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def test_folders_without_rights_are_named(tmp_path: Path, save_image: SaveImage) -> None:
    folder = tmp_path / "pics"
    for name in ("a.png", "locked/b.png", "nox/c.png", "nox/d.txt"):
        save_image(folder / name, format="PNG")
    (folder / "locked").chmod(0)
    (folder / "nox").chmod(0o644)
    try:
        below = ["", "/locked", "/locked/b.png", "/**/*.png"]
        arguments = [f"{folder}{name}" for name in below]
        done = subprocess.run(
            [*as_anybody(), sys.executable, "-c", FIND, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        (folder / "locked").chmod(0o755)
        (folder / "nox").chmod(0o755)
    whole, alone, inside, matched = done.stdout.splitlines()
    locked = (f"{folder}/locked", "cannot be listed: permission denied", True, False)
    nox = (f"{folder}/nox/c.png", "permission denied", True, True)
    text = (f"{folder}/nox/d.txt", "permission denied", False, True)
    assert whole == f"['a'] {[locked, nox, text]}"
    assert alone == f"[] {[locked]}"
    assert inside == f"[] {[(f'{folder}/locked/b.png', 'permission denied', True, True)]}"
    assert matched == f"['a'] {[locked, nox]}"
