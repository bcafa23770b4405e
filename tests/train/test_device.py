"""Models, losses and batches are on the recipe's device.

Torch's device ``meta`` stands for a GPU: it computes shapes only, so every machine has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unprompt._recipes.execute import make_task
from unprompt._recipes.recipe import load_recipe
from unprompt._recipes.targets import Targets
from unprompt._registry.plugins import Registry

Make = Callable[..., Path]
RECIPES = Path(__file__).parents[2] / "experiments" / "train"
PROMPTS = ["a red fox on a hill", "a blue heron"] * 20


@pytest.mark.parametrize(
    ("recipe", "tower", "options"),
    [
        ("clip-b", "clip-b", ("vocabulary=600", "freeze_text=false", "candidates=0")),
        ("vision-a", "vision-a", ("words=1", "distill=0.5")),
        ("vision-b", "vision-b", ("teacher=null", "distill=0")),
        ("blip-a", "blip-a", ("vocabulary=600", "contrast=0.5")),
    ],
)
def test_losses_and_scores_are_computed_on_the_device_of_the_pixels(
    recipe: str, tower: str, options: tuple[str, ...], toy_tower: Make, toy_teacher: Make
) -> None:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
        """Refuses what a GPU refuses: an operation on tensors of two devices."""

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            leaves = tree_leaves((args, kwargs or {}))
            tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.dim()]
            assert len({tensor.device for tensor in tensors}) < 2, func
            return func(*args, **(kwargs or {}))

    folder = toy_tower(tower)
    if recipe in ("vision-a", "blip-a"):
        options = (*options, f"teacher={toy_teacher(384)}")
        path = folder / "preprocessor_config.json"  # not the teacher's: it has to convert pixels
        path.write_text(json.dumps(json.loads(path.read_text()) | {"image_mean": [0.5] * 3}))
    sets = (f"tower={folder}", "start=null", "runtime.device=meta", *options)
    config = load_recipe(RECIPES / f"{recipe}.yaml", Registry(), sets).config
    embeddings = np.eye(len(PROMPTS), 384, dtype=np.float32)
    task = make_task(config, Targets(PROMPTS, embeddings))
    task.first = 30  # as a run sets it: the others are held out
    task.model.to("meta")
    rows = torch.tensor([3, 1, 38, 7, 11])
    pixels = torch.zeros(5, 3, 32, 32, device="meta")
    with OneDevice():  # type: ignore[no-untyped-call]  # as above
        loss = task.loss(task.model, pixels, rows)
        torch.autograd.backward(loss)
        with pytest.raises(RuntimeError, match="meta"):  # until it reads a number
            float(next(iter(task.scores(task.model, pixels, rows).values())).sum())
    assert loss.device.type == "meta"
    gradients = [parameter.grad for parameter in task.model.parameters()]
    assert {g.device.type for g in gradients if g is not None} == {"meta"}
