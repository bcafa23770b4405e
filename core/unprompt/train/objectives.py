"""The two objectives: a tower to train, its loss on a batch, its score, and how it is saved."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from unprompt.train.teacher import Teacher
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class Objective(Protocol):
    """What the loop needs to know of an objective."""

    @property
    def model(self) -> torch.nn.Module:
        """What is trained."""
        ...

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Of one batch: pixels (n, 3, size, size), and which of the N pictures they are, (n,)."""
        ...

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Of a held-out batch under other weights, such as the moving average."""
        ...

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Start from weights that `save` wrote. Raises RuntimeError where they do not fit."""
        ...

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Write weights (float16) and everything else that loading needs."""
        ...


class Contrastive:
    """CLIP's loss (Radford et al. 2021, arXiv 2103.00020) on an open_clip model.

    With ``semantics`` the text tower also keeps the target space's cosines between prompts, and
    pictures are drawn to their own prompt. Names alone tell prompts apart but say nothing of
    which are alike; CLIPs that have read the web know that, and kNN regression lives on it.
    """

    def __init__(
        self,
        folder: Path,
        prompts: Sequence[str],
        targets: FloatArray,
        *,
        vocabulary: int,
        semantics: float = 0.0,
    ) -> None:
        """Build the towers of ``folder`` with random weights.

        Args:
            folder: Holds ``open_clip_config.json``.
            prompts: N prompts.
            targets: Their unit rows in the target space, of shape (N, D).
            vocabulary: Tokens of the tokenizer, which is learned from the prompts.
            semantics: Weight of the two terms that bring the target space in.
        """
        import open_clip
        import torch

        config = json.loads((folder / "open_clip_config.json").read_text())
        text = config["model_cfg"]["text_cfg"]
        self._tokenizer = _make_tokenizer(prompts, vocabulary, text["context_length"])
        if len(self._tokenizer) > text["vocab_size"]:
            raise ValueError(f"{len(self._tokenizer)} tokens, vocab_size {text['vocab_size']}")
        self.model = open_clip.CLIP(**_clip_arguments(config["model_cfg"]))
        self.size = int(config["preprocess_cfg"]["size"])
        self.mean = tuple(config["preprocess_cfg"]["mean"])
        self.std = tuple(config["preprocess_cfg"]["std"])
        encoded = self._tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=text["context_length"],
            return_tensors="pt",
        )
        self._tokens: torch.Tensor = encoded.input_ids  # (N, context)
        self._clip_loss = open_clip.ClipLoss()
        self._targets = torch.from_numpy(targets)
        self._semantics = semantics

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Symmetric cross-entropy over the batch's image-text cosines, plus the semantics."""
        images, texts, scale = self.model(pixels, self._tokens[rows])
        images, texts = images.float(), texts.float()
        loss: torch.Tensor = self._clip_loss(images, texts, scale)
        if self._semantics:
            wanted = self._targets[rows] @ self._targets[rows].T  # (n, n)
            geometry = (texts @ texts.T - wanted).square().mean()
            aligned = 1 - (images * texts).sum(1).mean()
            loss = loss + self._semantics * (20 * geometry + aligned)
        return loss

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Recall at 1 and 5 of each picture's own prompt among all held-out prompts."""
        import torch

        images, texts, _ = model(pixels, self._tokens[rows])
        images, texts = images.float(), texts.float()
        best = (images @ texts.T).topk(5).indices  # (n, 5)
        own = torch.arange(len(best))[:, None]
        hit = best == own
        return {
            "recall@1": float(hit[:, :1].any(1).float().mean()),
            "recall@5": float(hit.any(1).float().mean()),
            "cosine to the own prompt": float((images * texts).sum(1).mean()),
            "rms error of prompt cosines": self._geometry(texts, rows),
        }

    def _geometry(self, texts: torch.Tensor, rows: torch.Tensor) -> float:
        wanted = self._targets[rows] @ self._targets[rows].T
        return float((texts @ texts.T - wanted).square().mean().sqrt())

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Both towers."""
        self.model.load_state_dict(state)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Weights under open_clip's file name, and the tokenizer beside them."""
        _save_half(model, folder / "open_clip_model.safetensors")
        self._tokenizer.save_pretrained(folder)


class Regression:
    """1 - cosine of a linear head on a transformers CLIP vision tower (the seed's CLIP-L14)."""

    def __init__(
        self,
        folder: Path,
        targets: FloatArray,
        *,
        contrast: float = 0.0,
        teacher: Teacher | None = None,
    ) -> None:
        """Build the tower of ``folder`` with random weights.

        Args:
            folder: Holds ``config.json`` and ``preprocessor_config.json``.
            targets: Unit rows of shape (N, D).
            contrast: Weight of a cross-entropy that asks which target of the batch is meant.
                The cosine alone sits long on the mean target; this term pulls it away.
            teacher: Whose features the tower learns too.
        """
        import torch
        from transformers import CLIPVisionConfig, CLIPVisionModel

        config = CLIPVisionConfig.from_pretrained(folder)
        preprocess = json.loads((folder / "preprocessor_config.json").read_text())
        self.size = int(preprocess["crop_size"]["height"])
        self.mean = tuple(preprocess["image_mean"])
        self.std = tuple(preprocess["image_std"])
        self._targets = torch.from_numpy(targets)
        self._contrast = contrast
        self._teacher = teacher
        width = config.hidden_size
        self.model = torch.nn.ModuleDict(
            {"vision": CLIPVisionModel(config), "fc": torch.nn.Linear(width, targets.shape[1])}
        )
        if teacher is not None:
            self.model["tokens"] = torch.nn.Linear(width, teacher.channels)

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Mean of 1 - cosine, plus the weighted cross-entropy and the teacher's features."""
        import torch

        seen = self.model["vision"](pixel_values=pixels, output_hidden_states=True)
        cosines = self._head(self.model, seen.pooler_output) @ self._targets[rows].T  # (n, n)
        loss = 1 - cosines.diagonal().mean()
        if self._teacher is not None:
            # Two thirds up the tower; the layers above are left to the target space.
            layers = seen.hidden_states
            tokens = self.model["tokens"](layers[2 * (len(layers) - 1) // 3][:, 1:])
            features = self._teacher(pixels, math.isqrt(tokens.shape[1]))
            loss = loss + torch.nn.functional.mse_loss(tokens, features)
        if self._contrast:
            own = torch.arange(len(rows))
            loss = loss + self._contrast * torch.nn.functional.cross_entropy(20 * cosines, own)
        return loss

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Mean cosine on the held-out pictures."""
        vision = dict(model.named_children())["vision"]
        predicted = self._head(model, vision(pixel_values=pixels).pooler_output)
        return {"cosine": float((predicted * self._targets[rows]).sum(1).mean())}

    def _head(self, model: torch.nn.Module, pooled: torch.Tensor) -> torch.Tensor:
        """Unit rows of shape (n, D)."""
        import torch

        predicted = dict(model.named_children())["fc"](pooled)
        return torch.nn.functional.normalize(predicted.float(), dim=1)

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Only the tower: the head starts from random weights again."""
        dict(self.model.named_children())["vision"].load_state_dict(state)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Only the tower: a head is fitted to each experiment's own train split."""
        _save_half(dict(model.named_children())["vision"], folder / "model.safetensors")


def _clip_arguments(model_cfg: dict[str, object]) -> dict[str, object]:
    names = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu")
    return {name: model_cfg[name] for name in names if name in model_cfg}


def _save_half(model: torch.nn.Module, path: Path) -> None:
    """float16 halves the file; it is read back as float32."""
    from safetensors.torch import save_file

    state = {
        name: value.detach().half().contiguous() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    save_file(state, path, metadata={"format": "pt"})


def _make_tokenizer(
    prompts: Sequence[str], vocabulary: int, context: int
) -> PreTrainedTokenizerBase:
    """A byte-level BPE learned from the prompts; any text can be written in it.

    The end token has the highest id, because open_clip's ``argmax`` pooling finds the end of a
    text by it.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary - 1,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(prompts, trainer)
    tokenizer.add_special_tokens(["<end>"])
    end = tokenizer.token_to_id("<end>")
    tokenizer.post_processor = TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", end)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # untyped in transformers
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>", model_max_length=context
    )
