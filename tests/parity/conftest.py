"""``kaggle-68th.yaml`` at toy size, with what its formulas give and what its members predict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from unprompt._data.images import folder_images
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._members.ensemble import empty_train_set
from unprompt._members.member import LiveMember
from unprompt._registry.loading import load_ensemble
from unprompt._registry.parts import Ensemble
from unprompt._registry.plugins import Registry
from unprompt.contracts import Batch, Runtime
from unprompt_painter.world import World

from ..plugins.small_towers import save_clip
from . import formulas
from .formulas import CHECKPOINTS, VIT, Clip, Rows, example_images, normalised

PROMPTS = [World(5).prompt(i) for i in range(400)]
BANK = [*PROMPTS, *PROMPTS[::3] * 4, *PROMPTS[:20]]
"""Repeated prompts stay, as in the solution's bank."""


def save_blip(folder: Path) -> Path:
    """A BLIP of the shipped shape, shrunk, whose random parameters react to the image."""
    import torch
    from tokenizers.normalizers import Sequence, Strip
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    from unprompt._recipes.tokenizer import make_writing_tokenizer

    config = json.loads((CHECKPOINTS / "blip-a" / "config.json").read_text())
    side = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config["vision_config"] |= {**side, "image_size": 32}
    config["text_config"] |= {**side, "encoder_hidden_size": 32, "vocab_size": 600}
    words = [*PROMPTS, *[formulas.PREFIX] * 400]
    tokenizer = make_writing_tokenizer(words, 600, 48)
    backend = tokenizer.backend_tokenizer
    # As BLIP's own: the space at the prefix's end is no token, which leaves four with the start.
    backend.normalizer = Sequence([backend.normalizer, Strip(left=False)])
    tokenizer.save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    torch.manual_seed(3)
    model = BlipForConditionalGeneration(BlipConfig(**config))
    for name, parameter in model.named_parameters():
        if "norm" not in name.lower() and parameter.ndim > 1:
            parameter.data.normal_(std=0.5)
    bias = model.text_decoder.cls.predictions.bias.data
    pieces = tokenizer.convert_ids_to_tokens(list(range(600)))
    bias[[not piece.startswith("\u0120") for piece in pieces]] = -100  # whole words only
    bias[tokenizer.sep_token_id] = 5  # one caption wants to end at once, others do not
    model.save_pretrained(folder)
    return folder


def save_vision_state(path: Path) -> None:
    """A state dict as the solution wrote it: ``vision.*`` of a CLIP vision tower, and ``fc``."""
    import torch
    from transformers import CLIPVisionModel

    model = CLIPVisionModel.from_pretrained(CHECKPOINTS / "vision-a")
    tower = getattr(model, "vision_model", model)
    torch.manual_seed(1)
    fc = torch.nn.Linear(192, 384)
    state = {f"vision.{name}": value for name, value in tower.state_dict().items()}
    torch.save(state | {f"fc.{name}": value for name, value in fc.state_dict().items()}, path)


def save_timm_state(path: Path) -> None:
    """A state dict of a timm ViT at 384 pixels with ``num_classes=384``."""
    import timm
    import torch

    torch.manual_seed(2)
    model: Any = timm.create_model(VIT, pretrained=False, num_classes=384)
    model.patch_embed.proj.weight.data.normal_(std=0.2)  # else all images are alike
    for block in model.blocks:  # else their mirror images are, too
        block.attn.qkv.weight.data.normal_(std=0.2)
        block.attn.proj.weight.data.normal_(std=0.1)
    model.head.weight.data.normal_(std=1.0)
    model.head.bias.data.normal_(std=1.0)
    torch.save(model.state_dict(), path)


def save_hub(folder: Path) -> None:
    """The hub's cache with a CLIP of vision-a's architecture, without weights."""
    snapshot = folder / "models--small--clip-vision" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "models--small--clip-vision" / "refs").mkdir()
    (folder / "models--small--clip-vision" / "refs" / "main").write_text("abc")
    for name in ("config.json", "preprocessor_config.json"):
        (snapshot / name).write_text((CHECKPOINTS / "vision-a" / name).read_text())


@dataclass(frozen=True)
class Solution:
    """A folder with ``kaggle-68th.yaml``, its ``kaggle-68th/`` files, small towers and images."""

    folder: Path

    @property
    def yaml(self) -> Path:
        return self.folder / "kaggle-68th.yaml"

    @cached_property
    def ensemble(self) -> Ensemble:
        return load_ensemble(self.yaml, Registry())


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Solution]:
    import pyarrow as pa
    import pyarrow.parquet
    from huggingface_hub import constants

    folder = tmp_path_factory.mktemp("parity")
    (folder / "kaggle-68th").mkdir()
    pa.parquet.write_table(pa.table({"prompt": BANK}), folder / "kaggle-68th" / "prompts.parquet")
    save_vision_state(folder / "kaggle-68th" / "clip-l14.pth")
    save_timm_state(folder / "kaggle-68th" / "vit-l16-384.pth")
    save_hub(folder / "hub")
    ensemble = yaml.safe_load((root / "ensembles" / "kaggle-68th.yaml").read_text())
    members = ensemble["members"]
    options = {member.get("name", member["plugin"]): member["options"] for member in members}
    options["knn-vit-g"]["backbone"] = {"folder": str(save_clip(folder / "clip"))}
    options["knn-vit-h"]["backbone"] = {"folder": str(CHECKPOINTS / "clip-a")}
    options["clip-l14"]["backbone"]["model"] = "small/clip-vision"
    for name in ("clip-l16-384", "clip-l16-384-mirrored"):
        options[name]["backbone"]["model"] = VIT
    options["clip-blip"]["backbone"] = {"folder": str(folder / "clip")}
    blip = save_blip(folder / "blip")
    options["clip-blip"]["captioner"] |= {"model": None, "folder": str(blip)}
    options["clip-blip"]["tables"] = "unprompt"
    (folder / "kaggle-68th.yaml").write_text(yaml.safe_dump(ensemble))
    (folder / "images").mkdir()
    for name, image in example_images().items():
        image.save(folder / "images" / f"{name}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield Solution(folder)


@dataclass(frozen=True)
class Expected:
    """What the formulas give for every image.

    Attributes:
        rows: Of every member; ``clip-l16-384`` and its mirrored twin are the two kinds of passes.
        texts: CLIP+BLIP's.
    """

    rows: dict[str, Rows]
    texts: list[str]

    @property
    def passes(self) -> Rows:
        """CLIP-L16-384: the mean of its passes, half of them mirrored; not unit rows."""
        return (self.rows["clip-l16-384"] + self.rows["clip-l16-384-mirrored"]) / 2

    @property
    def blended(self) -> Rows:
        return self.blended_with(self.passes)

    def blended_with(self, passes: Rows) -> Rows:
        """With other rows of CLIP-L16-384."""
        rows = self.rows
        return normalised(
            0.4 * rows["knn-vit-g"]
            + 0.4 * rows["knn-vit-h"]
            + 0.5 * rows["clip-l14"]
            + 0.2 * passes
            + 0.2 * rows["clip-blip"]
        )


@pytest.fixture(scope="module")
def small_clip(solution: Solution) -> Clip:
    return Clip(solution.folder / "clip", 32)


@pytest.fixture(scope="module")
def expected(solution: Solution, small_clip: Clip) -> Expected:
    small, large = small_clip, Clip(CHECKPOINTS / "clip-a", 96)
    targets = formulas.minilm(BANK)
    plain, mirrored = formulas.l16_passes(solution.folder / "kaggle-68th" / "vit-l16-384.pth")
    texts = formulas.solution_texts(small, formulas.captions(solution.folder / "blip"))
    rows = {
        "knn-vit-g": formulas.knn(small.images(), small.texts(BANK), targets),
        "knn-vit-h": formulas.knn(large.images(), large.texts(BANK), targets),
        "clip-l14": formulas.clip_l14(solution.folder / "kaggle-68th" / "clip-l14.pth"),
        "clip-l16-384": plain,
        "clip-l16-384-mirrored": mirrored,
        "clip-blip": formulas.minilm(texts),
    }
    return Expected(rows, texts)


@pytest.fixture(scope="module")
def predicted(solution: Solution) -> dict[str, Batch]:
    """What the ensemble's members predict, in the order of `images`."""
    context = Context(Registry(), Runtime(offline=True, batch_size=4), Cache.default())
    encoder = context.text_encoder(solution.ensemble.text_encoder)
    train = empty_train_set(encoder)
    images = folder_images([solution.folder / "images"]).select(tuple(example_images()))
    batches = {}
    for member in solution.ensemble.members:
        with closing(LiveMember(member, context, encoder)) as live:
            batches[member.name] = live.predict(live.prepare(train), images)
    return batches
