"""`unprompt prompt`: what the file says, else what an ensemble predicts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, BinaryIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unprompt import DataError, find_prompts
from unprompt._data import checking
from unprompt._files.paths import opened

Command = Callable[..., CompletedProcess[str]]

PROMPT = "a red fox in the snow,\nwatercolour, Steps: of stone"
SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: tiny"


def with_prompt(path: Path, prompt: str = PROMPT) -> Path:
    """As stable-diffusion-webui saves it."""
    texts = PngInfo()
    texts.add_text("parameters", f"{prompt}\nNegative prompt: blurry\n{SETTINGS}")
    Image.new("RGB", (64, 64), "red").save(path, pnginfo=texts)
    return path


def without_prompt(path: Path) -> Path:
    Image.new("RGB", (64, 64), "blue").save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    with_prompt(images / "fox.png")
    without_prompt(images / "fox.jpg")  # the same stem: two images all the same
    without_prompt(images / "sea.png")
    return images


@pytest.fixture(scope="session")
def run_folder(small_run: CompletedProcess[str]) -> Path:
    return Path(small_run.stdout.strip().splitlines()[-1])


def as_json(done: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {Path(item["path"]).name: item for item in json.loads(done.stdout)}


def test_prompts_are_printed_with_where_they_are(unprompt: Command, folder: Path) -> None:
    done = unprompt("prompt", folder)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"{folder}/fox.jpg: no prompt in the file"
    assert lines[1].startswith(f"{folder}/fox.png: read (")
    assert "png:parameters" in lines[1]
    assert lines[2:4] == [f"    {line}" for line in PROMPT.splitlines()]
    assert lines[4:] == [f"{folder}/sea.png: no prompt in the file"]
    assert "1 read, 2 without a prompt" in done.stderr


def test_what_is_in_no_file_is_predicted(
    unprompt: Command, folder: Path, run_folder: Path, tmp_path: Path
) -> None:
    items = as_json(unprompt("prompt", folder, "--ensemble", run_folder, "--json"))
    assert items["fox.png"]["prompt"] == PROMPT
    assert items["fox.png"]["origin"] == "read"
    assert items["fox.png"]["readback"] is None
    assert {items[name]["origin"] for name in ("fox.jpg", "sea.png")} == {"predicted"}
    # The same image, from the command for predictions.
    rows = tmp_path / "rows.jsonl"
    assert unprompt("predict", run_folder, folder / "sea.png", "-o", rows).returncode == 0
    row = json.loads(rows.read_text(encoding="utf-8"))
    sea = items["sea.png"]
    assert sea["prompt"] == row["prompt"]
    assert sea["readback"] == pytest.approx(row["readback"], abs=1e-5)
    assert sea["expected_score"] == row["expected_score"]
    assert sea["out_of_domain"] == row["out_of_domain"]


def test_no_model_is_loaded_to_read(folder: Path) -> None:
    program = (
        "import sys\nfrom unprompt import find_prompts\n"
        "print([p.prompt for p in find_prompts(sys.argv[1]).prompts])\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str([None, PROMPT, None]), "False False"]


def test_an_ensemble_is_not_asked_where_every_file_says_it(
    unprompt: Command, folder: Path, run_folder: Path
) -> None:
    items = as_json(unprompt("prompt", folder / "fox.png", "-e", run_folder, "--json"))
    assert items["fox.png"]["origin"] == "read"


def test_side_files(unprompt: Command, folder: Path) -> None:
    (folder / "fox.jpg").unlink()
    done = unprompt("prompt", folder, "--sidecar")
    assert done.returncode == 0
    assert (folder / "fox.txt").read_text(encoding="utf-8") == PROMPT
    assert not (folder / "sea.txt").exists(), "nothing is known of it"
    assert "1 side file" in done.stderr


def test_a_side_file_is_never_overwritten_unless_asked_for(unprompt: Command, folder: Path) -> None:
    with_prompt(folder / "other.png", "a blue whale")
    (folder / "fox.txt").write_text("mine")
    done = unprompt("prompt", folder, "--sidecar")
    assert done.returncode == 2
    assert done.stderr.strip() == f"{folder}/fox.txt: exists; --overwrite replaces it"
    assert PROMPT.splitlines()[-1] in done.stdout, "what may have taken long is not lost"
    assert (folder / "fox.txt").read_text() == "mine"
    assert not (folder / "other.txt").exists(), "nothing is half-written"
    assert unprompt("prompt", folder, "--sidecar", "--overwrite").returncode == 0
    assert (folder / "fox.txt").read_text(encoding="utf-8") == PROMPT


def test_a_side_file_with_the_same_prompt_is_left_alone(unprompt: Command, folder: Path) -> None:
    (folder / "fox.jpg").unlink()
    assert unprompt("prompt", folder, "--sidecar").returncode == 0
    before = (folder / "fox.txt").stat()
    with_prompt(folder / "other.png", "a blue whale")
    done = unprompt("prompt", folder, "--sidecar")
    assert done.returncode == 0, done.stderr
    assert (folder / "fox.txt").stat().st_ino == before.st_ino, "it was written again"
    assert (folder / "other.txt").read_text(encoding="utf-8") == "a blue whale"
    assert done.stderr.splitlines()[-1] == "1 side file written, 1 there already"


def test_two_images_with_one_side_file(unprompt: Command, folder: Path) -> None:
    texts = PngInfo()
    texts.add_text("parameters", f"another prompt\n{SETTINGS}")
    Image.new("RGB", (8, 8)).save(folder / "fox.PNG", pnginfo=texts)
    done = unprompt("prompt", folder, "--sidecar")
    assert done.returncode == 2
    assert "fox.txt: is the side file of two images" in done.stderr
    assert not (folder / "fox.txt").exists()


def test_an_image_is_not_replaced_by_its_own_prompt(unprompt: Command, tmp_path: Path) -> None:
    image = with_prompt(tmp_path / "fox.png").rename(tmp_path / "fox.txt")
    content = image.read_bytes()
    done = unprompt("prompt", image, "--sidecar", "--overwrite")
    assert done.returncode == 2
    assert "is the image itself" in done.stderr
    assert image.read_bytes() == content


def test_another_image_is_not_replaced_by_a_prompt(unprompt: Command, tmp_path: Path) -> None:
    first = with_prompt(tmp_path / "fox.png")
    other = without_prompt(tmp_path / "sea.png").rename(tmp_path / "fox.txt")
    content = other.read_bytes()
    done = unprompt("prompt", first, other, "--sidecar", "--overwrite")
    assert done.returncode == 2
    assert "fox.txt: is an image that was given, too" in done.stderr
    assert other.read_bytes() == content


def test_images_that_cannot_be_read(unprompt: Command, folder: Path, run_folder: Path) -> None:
    (folder / "broken.png").write_bytes((folder / "sea.png").read_bytes()[:60])
    stopped = unprompt("prompt", folder, "-e", run_folder)
    assert stopped.returncode == 2
    assert "broken.png" in stopped.stderr
    done = unprompt("prompt", folder, "-e", run_folder, "--skip-unreadable", "--json")
    assert sorted(as_json(done)) == ["fox.jpg", "fox.png", "sea.png"]
    assert "skipped" in done.stderr
    # A damaged image whose prompt is in front of the damage still says it.
    whole = (folder / "fox.png").read_bytes()
    (folder / "fox.png").write_bytes(whole[:-20])
    assert as_json(unprompt("prompt", folder / "fox.png", "--json"))["fox.png"]["prompt"] == PROMPT


def test_a_file_that_may_not_be_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may open all of them, so that the operating system's answer is made here."""

    def guarded(path: Path) -> AbstractContextManager[BinaryIO]:
        if path.name == "sea.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    monkeypatch.setattr(checking, "opened", guarded)
    with pytest.raises(DataError, match=r"sea\.png: cannot be read: permission denied"):
        find_prompts(folder)
    found = find_prompts(folder, skip_unreadable=True)
    assert [item.path.name for item in found.prompts] == ["fox.jpg", "fox.png"]
    assert "3 files: 2 looked at, 1 skipped, 0 left out" in found.report.lines(2, "looked at")


def test_a_prompt_cannot_turn_the_terminals_text(unprompt: Command, tmp_path: Path) -> None:
    with_prompt(tmp_path / "a.png", "red \x1b[31m \u202e fox")
    done = unprompt("prompt", tmp_path / "a.png")
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    items = as_json(unprompt("prompt", tmp_path / "a.png", "--json"))
    assert "\u202e" in items["a.png"]["prompt"], "data stays as it is"


def test_a_path_that_is_not_there(unprompt: Command, tmp_path: Path) -> None:
    done = unprompt("prompt", tmp_path / "no.png")
    assert done.returncode == 2
    assert done.stderr.strip() == f"{tmp_path}/no.png: no such file or folder"
    with pytest.raises(DataError, match="no such file"):
        find_prompts(tmp_path / "no.png")
