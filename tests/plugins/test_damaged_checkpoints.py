"""A checkpoint that gives no numbers is one line, not a score of zero."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from safetensors.torch import load_file, save_file

import unprompt_painter

EXPERIMENT = """\
name: damaged
data:
  plugin: painter
  options: {seed: 7, images: 60, size: 64}
ensemble:
  name: single
  members:
    - plugin: FAMILY
      options: {backbone: {folder: damaged}}
search: {trials: 3}
"""


@pytest.mark.parametrize(
    ("family", "tower", "layer"),
    [
        ("knn-vit-h", "clip-a", "visual.layer4.0.downsample.1.bias"),
        ("clip-l14", "vision-a", "post_layernorm.weight"),
        ("clip-l16-384", "vision-b", ""),
    ],
)
def test_a_tower_that_gives_no_numbers_is_one_line(
    family: str,
    tower: str,
    layer: str,
    unprompt: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    shipped = Path(unprompt_painter.__file__).parent / "checkpoints" / tower
    folder = Path(shutil.copytree(shipped, tmp_path / "damaged"))
    (file,) = folder.glob("*.safetensors")
    state = load_file(file)
    name = next(name for name in reversed(state) if name.endswith(layer))
    state[name][:] = float("nan")
    save_file(state, file, metadata={"format": "pt"})
    path = tmp_path / "damaged.yaml"
    path.write_text(EXPERIMENT.replace("FAMILY", family))
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 2
    assert f"member '{family}': " in done.stderr
    assert "rows are not finite: the checkpoint is damaged" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
