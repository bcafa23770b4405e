"""A small BLIP that learns to write the prompt of an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._recipes.attention import short_attention
from unprompt._recipes.losses import EmbeddingLosses
from unprompt._recipes.models import Features, read_json, read_preprocess, vit_features
from unprompt._recipes.recipe import CaptioningConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.tokenizer import make_writing_tokenizer, tokenizer_of
from unprompt._recipes.tower_task import TowerTask
from unprompt.errors import ConfigError
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # torch's cross-entropy leaves this label out


class Captioning(TowerTask):
    """Cross-entropy of each token after the ones before it (Li et al. 2022, arXiv 2201.12086).

    The image side is a vision transformer, which learns shapes slowly from captions alone, so the
    `EmbeddingLosses` of a regression are added.
    """

    saved = "blip"

    def __init__(self, config: CaptioningConfig, targets: Targets) -> None:
        """Build the BLIP of ``config.json`` and ``preprocessor_config.json``, and its tokenizer."""
        import torch
        from transformers import BlipConfig, BlipForConditionalGeneration

        self._candidates = config.candidates
        folder = config.tower.path
        path = folder / "config.json"
        if read_json(path).get("model_type") != "blip":
            raise ConfigError(f"tower: {path}: `model_type` is not blip")
        architecture = BlipConfig.from_pretrained(folder)
        self.pixels = read_preprocess(folder, "size")
        text: Any = architecture.text_config
        context = text.max_position_embeddings
        self.tokenizer = tokenizer_of(
            config, make_writing_tokenizer, targets.prompts, context, text.vocab_size, path
        )
        _check_tokens(text, self.tokenizer, path)
        prompts = list(targets.prompts)
        encoded = self.tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
        self._tokens: torch.Tensor = encoded.input_ids  # (N, longest)
        self._mask: torch.Tensor = encoded.attention_mask  # (N, longest)
        blip = BlipForConditionalGeneration(architecture)
        self._losses = EmbeddingLosses(config, targets, self.pixels)
        vision: Any = architecture.vision_config
        heads = self._losses.heads(vision.hidden_size, patches=True)
        self.model = torch.nn.ModuleDict({"blip": blip, **heads})

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """The captions' cross-entropy plus `EmbeddingLosses.loss` of the image side."""
        import torch

        with short_attention(pixels.device.type):
            features, logits, labels = self._forward(model, pixels, rows)
        caption = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
        )
        others = self.drawn(self._candidates)
        return caption + self._losses.loss(model, features, pixels, rows, others)

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The head's cosine to the target; and each caption's tokens, given the ones before."""
        import torch

        features, logits, labels = self._forward(model, pixels, rows)
        real = (labels != IGNORED).float()  # (n, length)
        each = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
        )
        exact = (logits.argmax(2) == labels).float() * real
        return {
            "cosine": self._losses.cosines(model, features, rows),
            "exact tokens": exact.sum(1) / real.sum(1),
            "caption cross-entropy": each.view_as(labels).sum(1) / real.sum(1),
        }

    def _forward(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> tuple[Features, torch.Tensor, torch.Tensor]:
        """The image side's features, logits (n, length, vocabulary) and labels (n, length)."""
        longest = int(self._mask[rows].sum(1).max())  # the padding of other batches costs time
        tokens = sent(self._tokens[rows, :longest], pixels.device)
        mask = sent(self._mask[rows, :longest], pixels.device)
        image = model.get_submodule("blip.vision_model")(
            pixel_values=pixels, output_hidden_states=True
        )
        text = model.get_submodule("blip.text_decoder")(
            input_ids=tokens[:, :-1],
            attention_mask=mask[:, :-1],
            encoder_hidden_states=image.last_hidden_state,
            use_cache=False,
        )
        labels = tokens[:, 1:].masked_fill(mask[:, 1:] == 0, IGNORED)
        return vit_features(image), text.logits, labels


def _check_tokens(text: Any, tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """The configuration has to name the tokenizer's ids, or generating never starts or ends."""
    wanted = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "sep_token_id": tokenizer.eos_token_id,  # BLIP stops at this one
    }
    wrong = [f"{name} has to be {i}" for name, i in wanted.items() if getattr(text, name) != i]
    if wrong:
        raise ConfigError(f"tower: {path}: text_config: {', '.join(wrong)}")
