"""The whole life of a fine-tuned member at full size: ViT-L/14 with random parameters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.slow

EXPERIMENT = """\
name: full-size
data:
  plugin: painter
  options: {{seed: 3, images: 16, size: 64}}
  split: {{train: 0.5, holdout: 0.25, test: 0.25, seed: 0}}
runtime: {{batch_size: 4}}
ensemble:
  members:
    - plugin: clip-l14
      name: tuned
      options:
        backbone: {{folder: {folder}}}
        training:
          epochs: 1
          batch_size: 4
          validation: 0
          ema: 0
          learning_rate: 1.0e-5
    - plugin: clip-l16-384
      name: small
      options:
        backbone: {{folder: "package:unprompt_painter/checkpoints/vision-b"}}
search: {{trials: 5}}
score: {{wordings: 2}}
"""


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """OpenAI's architecture, 1.2 GB."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    from unprompt.towers.architectures import CLIP_VISION

    folder = tmp_path_factory.mktemp("full") / "vision"
    torch.manual_seed(0)
    known = CLIP_VISION["openai/clip-vit-large-patch14"]
    CLIPVisionModel(CLIPVisionConfig(**known, hidden_act="quick_gelu")).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)


def test_train_predict_and_check(
    tower: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unprompt: Callable[..., CompletedProcess[str]],
) -> None:
    from safetensors import safe_open

    from unprompt_painter.world import World

    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    experiment = tmp_path / "full.yaml"
    experiment.write_text(EXPERIMENT.format(folder=tower))
    done = unprompt("run", experiment)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])

    artifact = folder / "artifacts" / "tuned"
    lines = (artifact / "training" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 2
    with safe_open(artifact / "tower.safetensors", "np") as file:
        changed = set(file.keys())
    with safe_open(tower / "model.safetensors", "np") as file:
        own = set(file.keys())
    assert changed <= own
    assert len(changed) > 0.9 * len(own)  # of keys' biases some have no gradient

    image = tmp_path / "image.png"
    World(5).image(0).save(image)
    predictions = tmp_path / "predictions.jsonl"
    done = unprompt("predict", folder, image, "-o", predictions)
    assert done.returncode == 0, done.stderr
    (line,) = predictions.read_text().splitlines()
    assert len(json.loads(line)["embedding"]) == 384

    done = unprompt("check", folder / "ensemble.yaml")
    assert done.returncode == 0, done.stderr
    assert "303.2 M" in done.stdout
    shutil.rmtree(tmp_path)
