"""What towers give to whoever trains them: layers, gradients, and filling in again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  # every test here computes with it
from PIL import Image

from unprompt.contracts import Runtime, TrainSet
from unprompt.errors import ConfigError, DataError
from unprompt.towers import FolderSource, TimmTower, VisionTower
from unprompt.train import Criterion, LinearHead, build_head
from unprompt.train.loss_options import Cosine
from unprompt_clip.finetune import RegressorTask

from .conftest import DIM

FAMILIES: dict[str, Any] = {"vision": VisionTower, "vit": TimmTower}
BLOCKS = {"vision": "encoder.layers.", "vit": "blocks."}


@pytest.fixture(params=sorted(FAMILIES))
def tower(request: pytest.FixtureRequest) -> Any:
    folder: Path = request.getfixturevalue(request.param)
    source = FolderSource.model_validate({"folder": str(folder)})
    return FAMILIES[request.param](source, Runtime(), "test")


def name_of(tower: Any) -> str:
    return next(name for name, family in FAMILIES.items() if type(tower) is family)


def task_of(tower: Any, train: TrainSet, **more: Any) -> RegressorTask:
    torch.manual_seed(0)
    head = build_head(LinearHead(), tower.dim, DIM)
    criterion = Criterion([Cosine()], train)
    held = torch.from_numpy(train.targets.rows)
    return RegressorTask.of_tower(tower, head, criterion, held, more.get("adapter"))


def pixels(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_layers_are_embeddings_then_blocks_then_the_head(tower: Any, train: TrainSet) -> None:
    task = task_of(tower, train)
    assert task.depths == 4  # three blocks
    for name, _ in task.model.named_parameters():
        own = name.removeprefix("tower.")
        if own.startswith(BLOCKS[name_of(tower)]):
            wanted = int(own.removeprefix(BLOCKS[name_of(tower)]).partition(".")[0]) + 1
        elif name.startswith("head."):
            wanted = 4
        else:  # a norm behind the last block is its
            wanted = 3 if own.startswith(("post_layernorm", "norm")) else 0
        assert task.depth(name) == wanted, name


@pytest.mark.parametrize(
    ("architecture", "first", "last"),
    [
        ("vit_tiny_patch16_224", "patch_embed.proj.weight", "blocks.11.mlp.fc2.weight"),
        ("convnext_atto", "stem.0.weight", "stages.3.blocks.1.mlp.fc2.weight"),
        ("resnet18", "conv1.weight", "layer4.1.conv2.weight"),
        (
            "swin_tiny_patch4_window7_224",
            "patch_embed.proj.weight",
            "layers.3.blocks.1.mlp.fc2.bias",
        ),
    ],
)
def test_timm_layers_are_timms_own(architecture: str, first: str, last: str) -> None:
    import timm
    from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]  # timm

    with torch.device("meta"):
        model = timm.create_model(architecture, pretrained=False, num_classes=0)
    layers = TimmTower.layers(model)
    assert set(layers) == {name for name, _ in model.named_parameters()}
    assert layers[first] == 0
    assert layers[last] >= max(layers.values()) - 1  # a norm behind it may be a layer of its own
    names = {id(value): name for name, value in model.named_parameters()}
    scale = {
        names[id(value)]: group["lr_scale"]
        for group in param_groups_layer_decay(model, layer_decay=0.5)
        for value in group["params"]
    }
    above = max(layers.values())
    ratio = {name: scale[name] / 0.5 ** (above - layer) for name, layer in layers.items()}
    assert len({round(value, 9) for value in ratio.values()}) == 1


def test_gradient_checkpointing_changes_no_gradient(tower: Any, train: TrainSet) -> None:
    task = task_of(tower, train)
    rows = torch.arange(5)

    def gradients() -> dict[str, torch.Tensor]:
        task.model.train()
        task.model.zero_grad()
        names, trained = zip(*task.model.named_parameters(), strict=True)
        made = torch.autograd.grad(task.loss(task.model, pixels(5), rows), trained)
        return dict(zip(names, made, strict=True))

    plain = gradients()
    seen: list[int] = []
    inner = [m for m in tower.network.modules() if type(m).__name__ in ("CLIPMLP", "Mlp")]
    assert len(inner) == 3
    for module in inner:
        module.register_forward_pre_hook(lambda *_: seen.append(1))
    task.save_memory()
    for name, value in gradients().items():
        torch.testing.assert_close(value, plain[name])
    assert len(seen) == 6  # forward, and again backward


def test_an_architecture_without_checkpointing_says_so() -> None:
    import timm

    with torch.device("meta"):
        model = timm.create_model("repghostnet_050", pretrained=False, num_classes=0)
    model.__dict__["set_grad_checkpointing"] = _refusing  # as timm's that cannot do it
    with pytest.raises(ConfigError, match="gradient_checkpointing: timm's RepGhostNet cannot"):
        TimmTower.recompute(model)


def _refusing(enable: bool) -> None:
    raise AssertionError("gradient checkpointing not supported")


def test_a_task_goes_to_other_processes_whole(tower: Any, train: TrainSet) -> None:
    """With adapters, too."""
    from unprompt.train import Adapter

    task = task_of(tower, train, adapter=Adapter(rank=2))
    again = pickle.loads(pickle.dumps(task))
    rows = torch.arange(4)
    for each in (task, again):
        each.model.eval()
    wanted = task.loss(task.model, pixels(4), rows)
    torch.testing.assert_close(again.loss(again.model, pixels(4), rows), wanted)
    assert {name: again.depth(name) for name, _ in again.model.named_parameters()} == {
        name: task.depth(name) for name, _ in task.model.named_parameters()
    }


def test_the_transform_goes_to_other_processes_without_the_tower(tower: Any) -> None:
    sent = pickle.dumps(tower.transform)
    assert len(sent) < 20_000
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), np.uint8))
    torch.testing.assert_close(pickle.loads(sent)(image), tower.preprocess(image))


def test_scores_are_the_mean_cosine(tower: Any, train: TrainSet) -> None:
    task = task_of(tower, train)
    task.model.eval()
    with torch.no_grad():
        given = tower.pool(tower.network, pixels(7))
        predicted = task.model.get_submodule("head")(given).double().numpy()
    wanted = train.targets.rows[:7].astype(float)
    each = (predicted * wanted).sum(1) / np.linalg.norm(predicted, axis=1)
    with torch.no_grad():
        batches = [(pixels(7)[:4], torch.arange(4)), (pixels(7)[4:], torch.arange(4, 7))]
        got = task.score(task.model, batches)
    assert got == {"cosine": pytest.approx(each.mean(), abs=1e-6)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nothing", torch.zeros(1), "nothing"),
        (None, torch.zeros(2, 2), "of another shape"),
        (None, torch.nan, "not finite"),
    ],
)
def test_other_parameters_are_refused(tower: Any, name: Any, value: Any, message: str) -> None:
    before = {key: kept.clone() for key, kept in tower.network.state_dict().items()}
    name = name or next(iter(before))
    given = value if isinstance(value, torch.Tensor) else torch.full_like(before[name], value)
    with pytest.raises(DataError, match=rf"t\.safetensors: not the parameters of this .*{message}"):
        tower.fill({name: given}, Path("t.safetensors"))
    assert all(kept.equal(before[key]) for key, kept in tower.network.state_dict().items())
