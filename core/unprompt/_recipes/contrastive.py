"""An open_clip image and text tower that learn which prompt belongs to which image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from unprompt._recipes.open_clip_towers import OpenClipTask, texts
from unprompt._recipes.recipe import ContrastiveConfig
from unprompt._recipes.targets import Targets
from unprompt.train.semantics import alike, contrast
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch

_AT_ONCE = 512
"""Texts in one forward pass of a frozen text tower."""


class Contrastive(OpenClipTask):
    """CLIP's loss (Radford et al. 2021, arXiv 2103.00020) on an open_clip model.

    With ``alike`` its labels are soft: which texts of the batch say almost the same, as the text
    tower has it. With ``freeze_text`` the text tower stays as it is (LiT, Zhai et al. 2022, arXiv
    2111.07991). Images meet the target space in neither.
    """

    def __init__(self, config: ContrastiveConfig, targets: Targets) -> None:
        """Build the towers of ``open_clip_config.json``, and their tokenizer."""
        import torch

        clip = self._build(config, targets)
        self._config = config
        self._words = targets.words if config.words else None
        heads = {"words": self._words.head(self.width)} if self._words else {}
        self.model = torch.nn.ModuleDict({"clip": clip, **heads})
        self._frozen: torch.Tensor | None = None

    def prepare(self) -> None:
        """Fix what the recipe keeps fixed, after a start was loaded."""
        import torch

        clip, config = self.model.get_submodule("clip"), self._config
        if config.alike:
            scale = clip.get_parameter("logit_scale").requires_grad_(False)
            scale.data.fill_(math.log(config.alike))
        if config.freeze_text:
            for name, parameter in clip.named_parameters():
                parameter.requires_grad_(name.startswith("visual") and parameter.requires_grad)
            with torch.no_grad():
                parts = torch.split(self.tokens, _AT_ONCE)
                self._frozen = torch.cat([texts(clip.eval(), part) for part in parts])

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Symmetric cross-entropy over the batch's image-text cosines, plus words."""
        import torch

        clip: Any = model.get_submodule("clip")
        features = clip.encode_image(pixels).float()
        images = torch.nn.functional.normalize(features, dim=1)
        others = self.drawn(self._config.candidates)
        prompts = self._texts(clip, torch.cat([rows, others]), pixels.device)
        if self._config.alike:
            labels = alike(prompts[: len(rows)], prompts, self._config.alike)
        else:
            labels = torch.eye(len(rows), len(prompts), device=pixels.device)
        loss = contrast(images, prompts, labels, clip.logit_scale.exp())
        if self._words is not None:
            logits = model.get_submodule("words")(features)
            loss = loss + self._config.words * self._words.loss(logits, rows)
        return loss

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Whether each image finds its own prompt among all held out, and their cosine."""
        import torch

        clip: Any = model.get_submodule("clip")
        parts = torch.split(pixels, _AT_ONCE)
        features = torch.cat([clip.encode_image(part).float() for part in parts])
        images = torch.nn.functional.normalize(features, dim=1)
        prompts = self._texts(clip, rows, pixels.device)
        best = (images @ prompts.T).topk(min(5, len(prompts))).indices  # (n, 5)
        hit = best == torch.arange(len(best), device=best.device)[:, None]
        scores = {"recall@1": hit[:, :1].any(1).float(), "recall@5": hit.any(1).float()}
        cosines = {"cosine to its prompt": (images * prompts).sum(1)}
        # Of soft labels the cosine is the aim; recall is for reading.
        return cosines | scores if self._config.alike else scores | cosines

    def _texts(self, clip: Any, rows: torch.Tensor, device: torch.device) -> torch.Tensor:
        """Unit rows of the prompts, (n, C)."""
        if self._frozen is not None:
            return sent(self._frozen[rows], device)
        return texts(clip, self.tokens[rows], device)
