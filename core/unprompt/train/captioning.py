"""A small BLIP that learns to write the prompt of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import ConfigError
from unprompt.train.lessons import Curriculum, Lessons, Seen
from unprompt.train.material import Material
from unprompt.train.objective import save_half
from unprompt.train.students import middle, read_json
from unprompt.train.tokenizer import fitting_tokenizer, make_writing_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # torch's cross-entropy leaves this label out


class Captioning:
    """Cross-entropy of each token after the ones before it (Li et al. 2022, arXiv 2201.12086).

    The image side is a vision transformer, which learns shapes slowly from captions alone, so it
    takes the `Lessons` of a regression too.
    """

    def __init__(
        self,
        folder: Path,
        material: Material,
        *,
        vocabulary: int,
        curriculum: Curriculum | None = None,
        start: Path | None = None,
    ) -> None:
        """Build the BLIP of ``folder`` with random weights, and learn its tokenizer.

        Args:
            folder: Holds ``config.json`` and ``preprocessor_config.json``.
            material: N prompts and their rows.
            vocabulary: Tokens of the tokenizer.
            curriculum: What the image side is taught besides.
            start: A folder whose tokenizer to go on with, instead of learning one.

        Raises:
            ConfigError: The folder or the teacher's does not fit.
        """
        import torch
        from transformers import BlipConfig, BlipForConditionalGeneration

        if read_json(folder / "config.json").get("model_type") != "blip":
            raise ConfigError(f"tower: {folder / 'config.json'}: `model_type` is not blip")
        config = BlipConfig.from_pretrained(folder)
        preprocess = read_json(folder / "preprocessor_config.json")
        self.size = int(preprocess["size"]["height"])
        self.mean = tuple(preprocess["image_mean"])
        self.std = tuple(preprocess["image_std"])
        text: Any = config.text_config
        context = text.max_position_embeddings
        self._tokenizer = fitting_tokenizer(
            lambda: make_writing_tokenizer(material.prompts, vocabulary, context),
            start,
            text.vocab_size,
            folder / "config.json",
        )
        _check_tokens(text, self._tokenizer, folder / "config.json")
        encoded = self._tokenizer(
            list(material.prompts),
            padding=True,
            truncation=True,
            max_length=context,
            return_tensors="pt",
        )
        self._tokens: torch.Tensor = encoded.input_ids  # (N, longest)
        self._mask: torch.Tensor = encoded.attention_mask  # (N, longest)
        blip = BlipForConditionalGeneration(config)
        self._lessons = Lessons(material, curriculum or Curriculum(), self.mean, self.std)
        vision: Any = config.vision_config
        heads = self._lessons.heads(vision.hidden_size, patches=True)
        self.model = torch.nn.ModuleDict({"blip": blip, **heads})

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """The captions' cross-entropy plus `Lessons.loss` of the image side."""
        import torch

        seen, logits, labels = self._read_out(self.model, pixels, rows)
        caption = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
        )
        return caption + self._lessons.loss(self.model, seen, pixels, rows)

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Per token, given the true ones before it; and the head's mean cosine to the target."""
        import torch

        seen, logits, labels = self._read_out(model, pixels, rows)
        real = labels != IGNORED
        caption = torch.nn.functional.cross_entropy(logits[real].float(), labels[real])
        exact = (logits[real].argmax(1) == labels[real]).float().mean()
        return {
            "caption cross-entropy": float(caption),
            "exact tokens": float(exact),
            "cosine": self._lessons.cosine(model, seen, rows),
        }

    def _read_out(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> tuple[Seen, torch.Tensor, torch.Tensor]:
        """What the image side sees, logits (n, length, vocabulary) and labels (n, length)."""
        longest = int(self._mask[rows].sum(1).max())  # the padding of other batches costs time
        tokens, mask = self._tokens[rows, :longest], self._mask[rows, :longest]
        seen = model.get_submodule("blip.vision_model")(
            pixel_values=pixels, output_hidden_states=True
        )
        written = model.get_submodule("blip.text_decoder")(
            input_ids=tokens[:, :-1],
            attention_mask=mask[:, :-1],
            encoder_hidden_states=seen.last_hidden_state,
            use_cache=False,
        )
        labels = tokens[:, 1:].masked_fill(mask[:, 1:] == 0, IGNORED)
        return Seen(seen.pooler_output, middle(seen.hidden_states)), written.logits, labels

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Only the BLIP: the heads start from random weights again."""
        blip = self.model.get_submodule("blip")
        tied = getattr(blip, "all_tied_weights_keys", {})
        blip.load_state_dict(state | {name: state[of] for name, of in tied.items()})

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """The BLIP without the heads, and its tokenizer."""
        save_half(model.get_submodule("blip"), folder / "model.safetensors")
        self._tokenizer.save_pretrained(folder)


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
