"""An open_clip image and text tower that learn which prompt belongs to which image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unprompt._recipes.models import read_json
from unprompt._recipes.recipe import ContrastiveConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.tokenizer import make_tokenizer, tokenizer_of
from unprompt._recipes.tower_task import TowerTask
from unprompt.errors import ConfigError
from unprompt.train.pixels import Pixels

if TYPE_CHECKING:
    import torch


class Contrastive(TowerTask):
    """CLIP's loss (Radford et al. 2021, arXiv 2103.00020) on an open_clip model.

    With ``semantics`` both towers are also drawn to the prompt's embedding in the target space.
    CLIP's loss tells prompts apart but says nothing of which are alike; CLIPs that have read the
    web know that, and kNN regression depends on it.
    """

    saved = "clip"
    file = "open_clip_model.safetensors"

    def __init__(self, config: ContrastiveConfig, targets: Targets) -> None:
        """Build the towers of ``open_clip_config.json``, and their tokenizer."""
        import open_clip
        import torch

        path = config.tower.path / "open_clip_config.json"
        content = read_json(path)
        architecture, pixels = content["model_cfg"], content["preprocess_cfg"]
        text, width = architecture["text_cfg"], architecture["embed_dim"]
        context = text["context_length"]
        self.tokenizer = tokenizer_of(
            config, make_tokenizer, targets.prompts, context, text["vocab_size"], path
        )
        dim = targets.embeddings.shape[1]
        if config.semantics and width != dim:
            raise ConfigError(f"tower: {path}: embed_dim has to be the target space's {dim}")
        names = architecture.keys() & {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"}
        clip = open_clip.CLIP(**{name: architecture[name] for name in names})
        self._config, self._targets = config, torch.from_numpy(targets.embeddings)
        self._words = targets.words if config.words else None
        heads = {"words": self._words.head(width)} if self._words else {}
        self.model = torch.nn.ModuleDict({"clip": clip, **heads})
        self.pixels = Pixels(int(pixels["size"]), tuple(pixels["mean"]), tuple(pixels["std"]))
        prompts = list(targets.prompts)
        encoded = self.tokenizer(
            prompts, padding="max_length", truncation=True, return_tensors="pt"
        )
        self._tokens: torch.Tensor = encoded.input_ids  # (N, context)
        self._clip_loss = open_clip.ClipLoss()

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Symmetric cross-entropy over the batch's image-text cosines, plus words and semantics."""
        from torch.nn.functional import normalize

        clip: Any = model.get_submodule("clip")
        features = clip.encode_image(pixels).float()
        images = normalize(features, dim=1)
        tokens = self._tokens[rows].to(pixels.device)
        texts = clip.encode_text(tokens, normalize=True).float()
        loss: torch.Tensor = self._clip_loss(images, texts, clip.logit_scale.exp())
        if self._words is not None:
            logits = model.get_submodule("words")(features)
            loss = loss + self._config.words * self._words.loss(logits, rows)
        if self._config.semantics:
            image, text = self._cosines(images, texts, rows)
            loss = loss + self._config.semantics * (2 - image.mean() - text.mean())
        return loss

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Whether each image finds its own prompt among all held out, and cosines to the target."""
        import torch

        tokens = self._tokens[rows].to(pixels.device)
        images, texts, _ = model.get_submodule("clip")(pixels, tokens)
        images, texts = images.float(), texts.float()
        best = (images @ texts.T).topk(min(5, len(texts))).indices  # (n, 5)
        hit = best == torch.arange(len(best), device=best.device)[:, None]
        scores = {"recall@1": hit[:, :1].any(1).float(), "recall@5": hit.any(1).float()}
        if self._config.semantics:
            cosines = self._cosines(images, texts, rows)
            scores["image to target"], scores["text to target"] = cosines
        return scores

    def _cosines(
        self, images: torch.Tensor, texts: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines of image and of text embeddings (n, D) with the target, (n,) each."""
        targets = self._targets[rows].to(images.device)
        return (images * targets).sum(1), (texts * targets).sum(1)
