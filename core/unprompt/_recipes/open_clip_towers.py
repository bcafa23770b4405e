"""An open_clip image and text tower from a folder's configuration, and prompts as its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unprompt._recipes.models import building, read_json
from unprompt._recipes.recipe import TokenizerConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.tokenizer import make_tokenizer, tokenizer_of
from unprompt._recipes.tower_task import TowerTask
from unprompt.train.pixels import Pixels
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch


class OpenClipTask(TowerTask):
    """A task on the towers of ``open_clip_config.json``.

    Attributes:
        width: Of their embedding space.
        tokens: The prompts, int64 of shape (N, context).
    """

    saved = "clip"
    file = "open_clip_model.safetensors"
    width: int
    tokens: torch.Tensor

    def _build(self, config: TokenizerConfig, targets: Targets) -> torch.nn.Module:
        """Both towers with random parameters; sets tokenizer, pixels, width and tokens.

        Raises:
            ConfigError: There is no such configuration, or the tokenizer does not fit it.
        """
        import open_clip

        path = config.tower.path / "open_clip_config.json"
        content = read_json(path)
        with building(path):
            architecture, pixels = content["model_cfg"], content["preprocess_cfg"]
            text, self.width = architecture["text_cfg"], int(architecture["embed_dim"])
            self.pixels = Pixels(int(pixels["size"]), tuple(pixels["mean"]), tuple(pixels["std"]))
            names = architecture.keys() & {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"}
            clip: torch.nn.Module = open_clip.CLIP(**{name: architecture[name] for name in names})
        self.tokenizer = tokenizer_of(
            config,
            make_tokenizer,
            targets.prompts,
            text["context_length"],
            text["vocab_size"],
            path,
        )
        self.tokens = self.tokenizer(
            list(targets.prompts), padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        return clip


def texts(clip: Any, tokens: torch.Tensor, device: torch.device | None = None) -> torch.Tensor:
    """Unit rows of the text tower, float32 of shape (n, C), for tokens (n, context).

    What ``encode_text`` gives, computed up to the end of the longest text: no token looks at later
    ones, so that padding costs time and changes nothing.

    Args:
        clip: Both towers.
        tokens: On the CPU.
        device: Where the towers are; None: there, too.
    """
    import torch

    ends = tokens.argmax(dim=1)  # the end token has the highest id; see `make_tokenizer`
    length = int(ends.max()) + 1
    if device is not None:
        tokens, ends = sent(tokens, device), sent(ends, device)
    positions = clip.positional_embedding[:length]
    mask = clip.attn_mask[:length, :length]
    hidden = clip.transformer(clip.token_embedding(tokens[:, :length]) + positions, attn_mask=mask)
    pooled = clip.ln_final(hidden)[torch.arange(len(tokens), device=tokens.device), ends]
    return torch.nn.functional.normalize((pooled @ clip.text_projection).float(), dim=1)
