"""The images that files, folders and globs name, and their ids."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt._data.decoding import HAS_AVIF
from unprompt._data.images import (
    SUFFIXES,
    Files,
    find_images,
    folder_images,
)
from unprompt._files.hashing import file_hash
from unprompt.contracts import Images
from unprompt.errors import DataError

SaveImage = Callable[..., Path]


RED, WHITE = (255, 0, 0), (255, 255, 255)


def test_files_is_an_image_source(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a.png")
    images = Images(("a",), Files({"a": path}))
    assert images.open("a").getpixel((0, 0)) == RED
    assert images.digest("a") == file_hash(path)


def test_files_names_unknown_ids_and_missing_files(tmp_path: Path) -> None:
    files = Files({"gone": tmp_path / "gone.png"})
    with pytest.raises(DataError, match="no image for 'b'"):
        files.open("b")
    with pytest.raises(DataError, match=r"gone\.png: cannot be read: no such file"):
        files.digest("gone")


def test_folder_is_searched_sorted_and_without_hidden_names(
    tmp_path: Path, save_image: SaveImage
) -> None:
    for name in ["b.PNG", "a.jpeg", "sub/c.d.webp", ".hidden.png", ".git/x.png", "._a.png"]:
        save_image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    paths = find_images([tmp_path])
    assert list(paths) == ["a", "b", "sub/c.d"]
    assert paths["sub/c.d"] == tmp_path / "sub/c.d.webp"


def test_a_folder_below_a_hidden_one_is_searched(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / ".cache/images/a.png")
    assert list(find_images([tmp_path / ".cache/images"])) == ["a"]


def test_file_and_glob_ids_are_names(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "x/b.png")
    save_image(tmp_path / "x/a.png")
    (tmp_path / "x/notes.txt").write_text("no image")
    assert list(find_images([str(tmp_path / "x/b.png"), f"{tmp_path}/x/*"])) == ["b", "a"]
    assert list(find_images([f"{tmp_path}/**/*.png"])) == ["a", "b"]


def test_a_name_with_glob_characters_is_a_file_first(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "a[1].png")
    assert find_images([path]) == {"a[1]": path}


def test_a_named_file_needs_no_suffix(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "image", format="PNG")
    assert find_images([path]) == {"image": path}


def test_same_file_twice_is_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_image: SaveImage
) -> None:
    save_image(tmp_path / "pics/sub/a.png")
    os.symlink(tmp_path / "pics", tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    arguments: list[str | Path] = [
        "pics",
        "pics/sub/a.png",
        tmp_path / "pics",
        "link",
        "./pics/sub/../sub/a.png",
    ]
    assert find_images(arguments) == {"sub/a": Path("pics/sub/a.png")}


def test_shared_id_in_one_folder_names_both(tmp_path: Path, save_image: SaveImage) -> None:
    first, second = save_image(tmp_path / "a.jpg"), save_image(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path])
    assert caught.value.problems == (f"'{first}', '{second}' share the id 'a': rename one of them",)


def test_a_shared_id_of_two_folders_names_the_solution(
    tmp_path: Path, save_image: SaveImage
) -> None:
    for number in range(8):
        save_image(tmp_path / f"x/{number}.png")
        save_image(tmp_path / f"y/{number}.png")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path / "x", tmp_path / "y"])
    assert len(caught.value.problems) == 6
    assert f"name the one folder {tmp_path} instead" in caught.value.problems[0]
    assert caught.value.problems[-1] == "3 more ids are shared"
    assert len(find_images([tmp_path])) == 16


def test_arguments_without_an_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError) as caught:
        find_images([tmp_path, tmp_path / "gone.png", f"{tmp_path}/*.png"])
    folder, gone, pattern = caught.value.problems
    assert folder.startswith(f"{tmp_path}: no image in this folder (")
    assert gone == f"{tmp_path}/gone.png: no such file or folder"
    assert pattern == f"{tmp_path}/*.png: no image matches"
    with pytest.raises(DataError, match="no image, folder or glob was named"):
        find_images([])


def test_folder_images(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "b.png", "blue")
    save_image(tmp_path / "a.png")
    images = folder_images([tmp_path])
    assert images.ids == ("a", "b")
    assert images.open("b").getpixel((0, 0)) == (0, 0, 255)


def test_suffixes_are_those_of_this_pillow() -> None:
    assert {"png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"} <= SUFFIXES
    assert ("avif" in SUFFIXES) == HAS_AVIF
