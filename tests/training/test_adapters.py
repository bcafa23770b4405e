"""LoRA and DoRA on towers: what is trainable, and what is left after merging."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: TID253  # every test here computes with it

from unprompt.contracts import TrainSet
from unprompt.errors import ConfigError, MissingFileError
from unprompt.towers import TimmTower, VisionTower
from unprompt.train import Fitted, fit
from unprompt.train.adapters import Adapted, Adapter

from .conftest import Colours
from .jobs import PLAIN, make_job, state_of
from .sources import LoggedColours

PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def clip() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    tower: Any = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=24,
            intermediate_size=40,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        )
    )
    return tower.eval()


def timm(name: str = "vit_tiny_patch16_224") -> Any:
    import timm

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"img_size": 32, "embed_dim": 24, "depth": 3, "num_heads": 2}
    more = sizes if name.startswith("vit") else {}
    return timm.create_model(name, pretrained=False, num_classes=0, **more).eval()


TOWERS: dict[str, tuple[Any, Any]] = {"clip": (clip, VisionTower), "timm": (timm, TimmTower)}


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("name", TOWERS)
def test_only_adapters_learn_and_merging_leaves_a_plain_tower(name: str, dora: bool) -> None:
    make, family = TOWERS[name]
    tower = make()
    names = [key for key, _ in tower.named_parameters()]
    before = copy.deepcopy(tower.state_dict())
    with torch.no_grad():
        plain = family.pool(tower, PIXELS)
        adapted = Adapted(tower, Adapter(rank=4, alpha=8.0, dora=dora))
        torch.testing.assert_close(family.pool(tower, PIXELS), plain)  # until they are trained
    trained = {key: value for key, value in tower.named_parameters() if value.requires_grad}
    assert all("lora_" in key for key in trained)
    optimizer = torch.optim.SGD(list(trained.values()), lr=5.0)
    for _ in range(2):  # B is zero in the first step, so that A has no gradient
        optimizer.zero_grad()
        family.pool(tower, PIXELS)[:, 0].sum().backward()  # a layer norm keeps the length
        optimizer.step()
    with torch.no_grad():
        tuned = family.pool(tower, PIXELS)
        assert adapted.merge() is tower
        assert not torch.allclose(tuned, plain, atol=1e-3)
        torch.testing.assert_close(family.pool(tower, PIXELS), tuned, rtol=1e-4, atol=1e-5)
        other = make()
        other.load_state_dict(tower.state_dict())
        torch.testing.assert_close(family.pool(other, PIXELS), tuned, rtol=1e-4, atol=1e-5)
    assert [key for key, _ in tower.named_parameters()] == names
    changed = {key for key, value in tower.state_dict().items() if not value.equal(before[key])}
    assert changed == {f"{layer}.weight" for layer in adapted.names}


@pytest.mark.parametrize(("layers", "each"), [("attention", ["24x24"] * 4), ("all", None)])
def test_an_adapter_has_rank_times_in_plus_out_parameters(
    layers: Any, each: list[str] | None
) -> None:
    tower = clip()
    adapted = Adapted(tower, Adapter(rank=5, layers=layers))
    sizes = [(24, 24)] * 4 + ([] if each else [(24, 40), (40, 24)])  # q, k, v, out, fc1, fc2
    trained = sum(value.numel() for value in tower.parameters() if value.requires_grad)
    assert trained == 3 * sum(5 * (a + b) for a, b in sizes)
    assert len(adapted.names) == 3 * len(sizes)
    if layers == "attention":
        assert all(".self_attn." in name for name in adapted.names)


@pytest.mark.parametrize("name", TOWERS)
def test_adapters_belong_to_the_layer_that_they_adapt(name: str) -> None:
    make, family = TOWERS[name]
    plain = family.layers(make())
    tower = make()
    Adapted(tower, Adapter(rank=2))
    for key, layer in family.layers(tower).items():
        if "lora_" in key:
            assert layer == plain[f"{key.partition('.lora_')[0]}.weight"]


def test_alpha_over_rank_scales_an_adapter() -> None:
    """LoRA's formula: ``W x + alpha / rank * B A x``."""
    tower = clip()
    adapted = Adapted(tower, Adapter(rank=4, alpha=6.0, layers="attention"))
    name = adapted.names[0]
    layer: Any = tower.get_submodule(name)
    down, up = layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data
    up.normal_()
    wanted = layer.base_layer.weight + 6 / 4 * up @ down
    merged: Any = adapted.merge().get_submodule(name)
    torch.testing.assert_close(merged.weight, wanted)


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_wise_ft_is_between_the_merged_parameters_and_those_of_the_start(
    processes: int,
    dora: bool,
    vision: Path,
    train: TrainSet,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The formula of arXiv 2109.01903; factors of adapters would give share squared."""
    monkeypatch.syspath_prepend(str(root))  # other processes find the tests' own images
    source = train.images.source
    assert isinstance(source, Colours)
    adapter = Adapter(rank=2, dora=dora)
    options: dict[str, Any] = {**PLAIN, "learning_rate": 0.5, "processes": processes}

    def result(name: str, **more: Any) -> tuple[dict[str, torch.Tensor], Fitted]:
        given = LoggedColours(source.levels)
        job = make_job(tmp_path / name, vision, train, given, adapter=adapter, **options, **more)
        fitted = fit(job)
        return state_of(job), fitted

    start = state_of(make_job(tmp_path / "start", vision, train))
    tuned, _ = result("tuned")
    mixed, fitted = result("mixed", wise_ft=[0.25, 0.5])
    share = fitted.interpolation
    assert share in (0.25, 0.5), "the shares have to be better than the end, or nothing is shown"
    assert mixed.keys() == tuned.keys() == start.keys()  # no adapter is left
    changed = [name for name, value in tuned.items() if not value.equal(start[name])]
    assert len([name for name in changed if "_proj.weight" in name]) == 12
    for name, value in mixed.items():
        wanted = start[name].double() * (1 - share) + tuned[name].double() * share
        torch.testing.assert_close(value.double(), wanted, rtol=1e-4, atol=1e-5, msg=name)


def test_a_rank_that_no_layer_has_is_refused() -> None:
    Adapted(clip(), Adapter(rank=24))  # the tower's width
    with pytest.raises(ConfigError, match=r"adapter\.rank: 25, but .* a rank above 24"):
        Adapted(clip(), Adapter(rank=25))


def test_a_tower_without_linear_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="adapter: a ResNet has no linear layer"):
        Adapted(timm("resnet18"), Adapter())


def test_without_peft_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingFileError, match=r'pip install "unprompt\[adapters\]"'):
        Adapted(clip(), Adapter())
