"""Checkpoints in folders that do not fit: the line names the keys; prefixes of wrappers fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, DataError
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower

from .conftest import MakeFolder

OFFLINE = Runtime(offline=True)
State = dict[str, Any]


@pytest.fixture(params=["open_clip", "transformers", "timm"])
def case(
    request: pytest.FixtureRequest,
    clip_folder: MakeFolder,
    vision_folder: MakeFolder,
    timm_folder: MakeFolder,
) -> tuple[Any, Path]:
    """A tower and the checkpoint in its folder."""
    if request.param == "open_clip":
        return ClipTowers, clip_folder() / "open_clip_model.safetensors"
    if request.param == "transformers":
        return VisionTower, vision_folder() / "model.safetensors"
    return TimmTower, timm_folder() / "model.safetensors"


def source(path: Path) -> FolderSource:
    return FolderSource.model_validate({"folder": str(path.parent)})


def rewrite(path: Path, change: Callable[[State], State]) -> None:
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def problem(tower: Any, path: Path) -> str:
    with pytest.raises((ConfigError, DataError)) as caught:
        tower(source(path), OFFLINE, "own")
    (line,) = caught.value.problems
    assert line.startswith("own: ") and str(path.parent) in line
    assert "\n" not in line
    return line.partition("not a checkpoint of ")[2]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_are_taken_off(case: tuple[Any, Path], prefix: str) -> None:
    import torch

    tower, path = case

    def rows() -> Any:
        loaded = tower(source(path), OFFLINE, "own")
        size = loaded.preprocess(image()).shape
        pixels = torch.linspace(0, 1, size.numel()).reshape(1, *size)
        return loaded.images(pixels) if tower is ClipTowers else loaded.features(pixels)

    def image() -> Any:
        from PIL import Image

        return Image.new("RGB", (64, 64))

    plain = rows()
    rewrite(path, lambda state: {prefix + name: value for name, value in state.items()})
    np.testing.assert_array_equal(rows(), plain)


def test_missing_keys_are_named_and_counted(case: tuple[Any, Path]) -> None:
    tower, path = case
    gone: list[str] = []

    def without(state: State) -> State:
        gone.extend(sorted(state)[:7])
        return {name: value for name, value in state.items() if name not in gone}

    rewrite(path, without)
    line = problem(tower, path)
    assert "missing (7): '" in line
    assert line.endswith("' and 2 more")
    assert sum(repr(name) in line for name in gone) == 5


def test_a_key_of_another_shape_is_named_with_both_shapes(case: tuple[Any, Path]) -> None:
    tower, path = case
    changed: list[str] = []

    def reshaped(state: State) -> State:
        # The last: open_clip resizes positions, which come first.
        wide = [name for name in sorted(state) if state[name].ndim == 2]
        name = [name for name in wide if not name.startswith("head")][-1]  # it is left out
        rows, columns = state[name].shape
        changed.append(f"{name} ({rows + 1}, {columns}), not ({rows}, {columns})")
        return {**state, name: state[name].new_zeros(rows + 1, columns)}

    rewrite(path, reshaped)
    line = problem(tower, path)
    assert line.endswith(f"of another shape (1): {changed[0]!r}")


def test_keys_of_another_model_are_named(case: tuple[Any, Path]) -> None:
    import torch

    tower, path = case
    rewrite(path, lambda state: {"other.weight": torch.zeros(2)})
    line = problem(tower, path)
    assert "missing (" in line
    assert line.endswith("unexpected (1): 'other.weight'")
