"""An open_clip image and text tower that learn which prompt belongs to which picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import ConfigError
from unprompt.train.material import Material
from unprompt.train.objective import save_half
from unprompt.train.students import read_json
from unprompt.train.tokenizer import fitting_tokenizer, make_tokenizer

if TYPE_CHECKING:
    import torch


class Contrastive:
    """CLIP's loss (Radford et al. 2021, arXiv 2103.00020) on an open_clip model.

    With ``semantics`` both towers are also drawn to the prompt's row in the target space. Names
    alone tell prompts apart but say nothing of which are alike; CLIPs that have read the web know
    that, and kNN regression lives on it.
    """

    def __init__(
        self,
        folder: Path,
        material: Material,
        *,
        vocabulary: int,
        semantics: float = 0.0,
        words: float = 0.0,
        start: Path | None = None,
    ) -> None:
        """Build the towers of ``folder`` with random weights.

        Args:
            folder: Holds ``open_clip_config.json``.
            material: N prompts, their rows and their words.
            vocabulary: Tokens of the tokenizer that is learned from the prompts.
            semantics: Weight of the two cosines, of image and text, with the target; the
                towers' common space is then as wide as the target space.
            words: Weight of the image tower's cross-entropy with the prompt's words.
            start: A folder whose tokenizer to go on with, instead of learning one.

        Raises:
            ConfigError: The configuration is not there, or does not fit the vocabulary or the
                target space.
        """
        import open_clip
        import torch

        path = folder / "open_clip_config.json"
        config = read_json(path)
        text = config["model_cfg"]["text_cfg"]
        self._tokenizer = fitting_tokenizer(
            lambda: make_tokenizer(material.prompts, vocabulary, text["context_length"]),
            start,
            text["vocab_size"],
            path,
        )
        if semantics and config["model_cfg"]["embed_dim"] != material.targets.shape[1]:
            raise ConfigError(
                f"tower: {path}: embed_dim has to be the target space's {material.targets.shape[1]}"
            )
        clip = open_clip.CLIP(**_clip_arguments(config["model_cfg"]))
        self.model = torch.nn.ModuleDict({"clip": clip})
        self._words, self._weight = (material.words if words else None), words
        if self._words is not None:
            self.model["words"] = self._words.head(config["model_cfg"]["embed_dim"])
        self.size = int(config["preprocess_cfg"]["size"])
        self.mean = tuple(config["preprocess_cfg"]["mean"])
        self.std = tuple(config["preprocess_cfg"]["std"])
        self._tokens = self._tokenized(material.prompts, text["context_length"])
        self._clip_loss = open_clip.ClipLoss()
        self._targets = torch.from_numpy(material.targets)
        self._semantics = semantics

    def _tokenized(self, prompts: Sequence[str], context: int) -> torch.Tensor:
        """Token ids of shape (N, context), cut and padded."""
        encoded = self._tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=context,
            return_tensors="pt",
        )
        tokens: torch.Tensor = encoded.input_ids
        return tokens

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Symmetric cross-entropy over the batch's image-text cosines, plus words and semantics."""
        from torch.nn.functional import normalize

        clip: Any = self.model.get_submodule("clip")
        features = clip.encode_image(pixels).float()
        images = normalize(features, dim=1)
        texts = clip.encode_text(self._tokens[rows], normalize=True).float()
        loss: torch.Tensor = self._clip_loss(images, texts, clip.logit_scale.exp())
        if self._words is not None:
            logits = self.model.get_submodule("words")(features)
            loss = loss + self._weight * self._words.loss(logits, rows)
        if self._semantics:
            targets = self._targets[rows]
            apart = 2 - (images * targets).sum(1).mean() - (texts * targets).sum(1).mean()
            loss = loss + self._semantics * apart
        return loss

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Recall of each picture's own prompt among all held out, and cosines to the target."""
        import torch

        images, texts, _ = model.get_submodule("clip")(pixels, self._tokens[rows])
        images, texts = images.float(), texts.float()
        best = (images @ texts.T).topk(5).indices  # (n, 5)
        hit = best == torch.arange(len(best))[:, None]
        scores = {
            "recall@1": hit[:, :1].any(1).float().mean(),
            "recall@5": hit.any(1).float().mean(),
        }
        if self._semantics:
            targets = self._targets[rows]
            scores["image to target"] = (images * targets).sum(1).mean()
            scores["text to target"] = (texts * targets).sum(1).mean()
        return {name: float(score) for name, score in scores.items()}

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Both towers; the head for words starts from nothing again."""
        self.model.get_submodule("clip").load_state_dict(state)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Weights under open_clip's file name, and the tokenizer beside them."""
        save_half(model.get_submodule("clip"), folder / "open_clip_model.safetensors")
        self._tokenizer.save_pretrained(folder)


def _clip_arguments(model_cfg: dict[str, object]) -> dict[str, object]:
    names = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu")
    return {name: model_cfg[name] for name in names if name in model_cfg}
