"""Searched options: each choice with its own numbers, and none that no variant reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from unprompt._registry.loading import load_ensemble, load_experiment
from unprompt._registry.plugins import Registry
from unprompt.errors import ConfigError

Command = Callable[..., CompletedProcess[str]]
SOFTMAX, POWER, RIDGE = "`name: softmax`", "`name: power`", "`name: ridge`"

EXPERIMENT = """\
name: searched
data:
  plugin: painter
  options: {seed: 7, images: 60, size: 64}
  split: {train: 0.6, holdout: 0.2, test: 0.2, seed: 0}
ensemble:
  members:
    - plugin: knn-vit-h
      options:
        backbone: {folder: package:unprompt_painter/checkpoints/clip-a}
        kernel: KERNEL
search: {trials: 12, seed: 0, space: {knn-vit-h: SPACE}}
score: {wordings: 2}
"""


def experiment(folder: Path, kernel: str, space: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(EXPERIMENT.replace("KERNEL", kernel).replace("SPACE", space))
    return path


@pytest.mark.parametrize(
    ("kernel", "space", "line"),
    [
        (
            "{name: power}",
            "{kernel.temperature: [5, 20]}",
            f".kernel.temperature.N: has no effect with {POWER}: it belongs to {SOFTMAX}",
        ),
        (
            "{name: softmax}",
            "{kernel.name: [softmax, power], kernel.penalty: [0.1, 1]}",
            f".kernel.penalty.N: has no effect with {SOFTMAX}: it belongs to {RIDGE}",
        ),
    ],
)
def test_a_searched_option_that_no_variant_reads_is_refused(
    kernel: str, space: str, line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(experiment(tmp_path, kernel, space), Registry())
    assert len(caught.value.problems) == 2  # a line for each value
    for number, problem in enumerate(caught.value.problems):
        assert problem.endswith(f": search.space.knn-vit-h{line.replace('N', str(number))}")


def test_kernels_are_searched_with_the_numbers_of_each(unprompt: Command, tmp_path: Path) -> None:
    space = "{kernel.name: [softmax, power, ridge], kernel.penalty: [0.03, 3]}"
    path = experiment(tmp_path, "{temperature: 50}", space)
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    chosen = json.loads((folder / "scores.json").read_text())["options"]["knn-vit-h"]
    ensemble = yaml.safe_load((folder / "ensemble.yaml").read_text())
    kernel = ensemble["members"][0]["options"]["kernel"]
    penalty = chosen["kernel.penalty"]
    assert kernel in (
        {"name": "softmax", "temperature": 50.0, "fit": 0},
        {"name": "power", "power": 6.0, "epsilon": 1e-4, "fit": 0},
        {"name": "ridge", "penalty": penalty, "fit": 0},
    )
    assert kernel["name"] == chosen["kernel.name"]
    load_ensemble(folder / "ensemble.yaml", Registry())  # what is written can be read
