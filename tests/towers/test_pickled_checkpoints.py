"""Nothing in a checkpoint is run; a file that needs it is refused with its conversion."""

from __future__ import annotations

import argparse
import os
import pickle
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt.errors import DataError
from unprompt.towers import ClipTowers, TimmTower, VisionTower

from .conftest import OFFLINE, HubCache, MakeFolder, read

PREPROCESS = {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.fixture(params=["transformers", "timm", "open_clip"])
def load(
    request: pytest.FixtureRequest, hub: HubCache, vision_folder: MakeFolder, small_clip: str
) -> Callable[[Path], object]:
    """``load(path)`` with each library's tower."""

    def make(path: Path) -> object:
        tower: Any
        if request.param == "transformers":
            hub.add("somebody/small-vision", vision_folder(weights=False))
            tower, model = VisionTower, "somebody/small-vision"
        elif request.param == "timm":
            tower, model = TimmTower, "test_vit"
        else:
            tower, model = ClipTowers, small_clip
        config = read(tower, model=model, checkpoint=str(path), preprocess=PREPROCESS)
        return tower(config, OFFLINE, "own")

    return make


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_refused_and_not_run(
    how: str, load: Callable[[Path], object], tmp_path: Path
) -> None:
    import torch

    path, sprung = tmp_path / "trap.pth", tmp_path / "sprung"
    content = {"fc.weight": torch.zeros(2, 2), "trap": Trap(sprung)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError) as caught:
        load(path)
    assert not sprung.exists()
    (line,) = caught.value.problems
    assert line.startswith(f"own: {path} holds Python objects, which unprompt does not run")
    assert 'convert it with: python -c "import torch; ' in line
    assert str(path.with_suffix(".tensors.pth")) in line
    assert "\n" not in line


def convert(line: str) -> None:
    """Run the command that an error line ends in, as a shell would."""
    command = line.partition("convert it with: ")[2]
    python, *words = shlex.split(command)
    assert python == "python"
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def timm_model() -> Any:
    import timm
    import torch

    torch.manual_seed(7)
    return timm.create_model("test_vit", num_classes=384)


def whole_model(model: Any) -> Any:
    return model


def checkpoint(wrapper: str) -> Callable[[Any], Any]:
    arguments = argparse.Namespace(lr=1e-4)
    return lambda model: {wrapper: model.state_dict(), "args": arguments, "epoch": 2}


@pytest.mark.parametrize(
    "content",
    [
        whole_model,
        checkpoint("state_dict"),
        checkpoint("model"),
        checkpoint("model_state_dict"),
        lambda model: {"model": model, "epoch": 2},
        lambda model: {"state_dict": model.state_dict(), "optimizer": argparse.Namespace(lr=1)},
    ],
    ids=["model", "state_dict", "dict-model", "model_state_dict", "dict-whole", "optimizer"],
)
def test_the_conversion_that_is_named_works(content: Callable[[Any], Any], tmp_path: Path) -> None:
    import torch

    path = tmp_path / "checkpoint.pth"
    model = timm_model()
    torch.save(content(model), path)
    given = {"model": "test_vit", "preprocess": PREPROCESS | {"size": 160}}
    refused = read(TimmTower, **given, checkpoint=str(path))
    with pytest.raises(DataError) as caught:
        TimmTower(refused, OFFLINE, "own")
    convert(caught.value.problems[0])
    converted = read(TimmTower, **given, checkpoint=str(tmp_path / "checkpoint.tensors.pth"))
    tower = TimmTower(converted, OFFLINE, "own")
    assert tower.head is not None
    assert torch.equal(torch.from_numpy(tower.head[0]), model.head.weight)
    pixels = torch.rand(2, 3, 160, 160)
    with torch.inference_mode():
        features = model.eval().forward_head(model.forward_features(pixels), pre_logits=True)
    assert torch.allclose(torch.from_numpy(tower.features(pixels)), features, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.pth", b"<html>404</html>"),
        ("empty.pth", b""),
        ("garbage.pth", b"\x80\x02garbage"),
        ("deep.pth", b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000),
    ],
)
def test_what_is_no_checkpoint_at_all_is_called_that(
    name: str, content: bytes, load: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(path)
    (line,) = caught.value.problems
    assert line.startswith(f"own: {path}: not a checkpoint: ")
    assert "convert" not in line


@pytest.mark.parametrize("name", ["pointer.pth", "pointer.safetensors"])
def test_a_pointer_of_git_lfs_is_called_that(
    name: str, load: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DataError) as caught:
        load(path)
    assert caught.value.problems == (
        f"own: {path}: a Git LFS pointer, not the file: run `git lfs pull`",
    )


def test_a_tensor_larger_than_the_file_is_not_made(
    load: Callable[[Path], object], tmp_path: Path
) -> None:
    import torch

    path = tmp_path / "wide.pth"
    torch.save({"head.weight": torch.zeros(1).half().expand(1 << 20, 1 << 20)}, path)
    with pytest.raises(DataError, match=r"wide\.pth: not a checkpoint: its tensors are larger"):
        load(path)


def test_a_compressed_archive_is_no_checkpoint(
    load: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 24))
    with pytest.raises(DataError, match=r"bomb\.pth: not a checkpoint: it declares more bytes"):
        load(path)


def test_half_a_file_is_no_checkpoint(load: Callable[[Path], object], tmp_path: Path) -> None:
    import torch

    path = tmp_path / "half.pth"
    torch.save(timm_model().state_dict(), path)
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(
        DataError, match=r"half\.pth: not a checkpoint: the file is cut short or damaged$"
    ):
        load(path)


def test_no_file(load: Callable[[Path], object], tmp_path: Path) -> None:
    from unprompt.errors import MissingFileError

    with pytest.raises(MissingFileError, match=r"^own: no .*none\.pth"):
        load(tmp_path / "none.pth")
