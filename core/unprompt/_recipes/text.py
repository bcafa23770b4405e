"""An open_clip text tower that learns from the sentence encoder which prompts are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unprompt._recipes.open_clip_towers import OpenClipTask, texts
from unprompt._recipes.recipe import TextConfig
from unprompt._recipes.targets import Targets
from unprompt.train.semantics import readout, relations
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch


class Text(OpenClipTask):
    """The text tower distilled from the target space's encoder, in a space of its own.

    A throw-away linear head reads the target row from the text embedding, and cosines between
    texts become those of the target space. The image tower stays random, for a `Contrastive` to
    start from; no image is opened.
    """

    reads_images = False

    def __init__(self, config: TextConfig, targets: Targets) -> None:
        """Build the towers of ``open_clip_config.json``, and their tokenizer."""
        import torch

        clip = self._build(config, targets)
        clip.get_submodule("visual").requires_grad_(False)
        clip.get_parameter("logit_scale").requires_grad_(False)
        self._config = config
        self._targets = torch.from_numpy(targets.embeddings)
        head = torch.nn.Linear(self.width, self._targets.shape[1])
        self.model = torch.nn.ModuleDict({"clip": clip, "readout": head})

    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """`readout` and, with its weight, `relations`."""
        rows_of_text = texts(model.get_submodule("clip"), self.tokens[rows], pixels.device)
        targets = sent(self._targets[rows], pixels.device)
        loss = readout(rows_of_text, model.get_submodule("readout"), targets)
        return loss + self._config.relations * relations(rows_of_text, targets)

    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The cosine of what the head reads with the target."""
        import torch

        rows_of_text = texts(model.get_submodule("clip"), self.tokens[rows], pixels.device)
        read = torch.nn.functional.normalize(model.get_submodule("readout")(rows_of_text), dim=1)
        return {"cosine": (read * sent(self._targets[rows], pixels.device)).sum(1)}
