"""Captions: any image-to-text model that transformers' Auto classes load."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

from unprompt import ConfigError, Images, Need, Runtime
from unprompt.towers import (
    CHECKPOINT,
    folder_files,
    forward_batches,
    hub_file_hash,
    inference,
    origin_needs,
    parameter_count,
)
from unprompt_blip.caption_models import CONFIG, OWNER, StandIn, folder_of, load, random_model
from unprompt_blip.sampling import EvenSampling, take_likeliest
from unprompt_blip.sources import CaptionerConfig

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

INSTRUCTION = "Describe this picture in one sentence."
"""What chat models are asked where no prompt is given."""
TASKS = {"florence2": "<CAPTION>"}
"""Prompts without which a model writes no caption, by ``model_type``."""

Written: TypeAlias = Generator[tuple[tuple[str, ...], list[str]]]
"""The ids of a batch of images, and their captions, one image after another."""

_STUTTER = re.compile(r"\b(\w+)(?: \1\b){2,}")


class Captioner:
    """A captioning model in evaluation mode. Nothing is random."""

    def __init__(self, config: CaptionerConfig, runtime: Runtime) -> None:
        """Load model and processor; raises as `load` does."""
        self._model, self._processor = load(config, runtime)
        self._config = config
        self._runtime = runtime
        self._chats = getattr(self._processor, "chat_template", None) is not None
        task = TASKS.get(self._model.config.model_type, "")
        self._prompt = config.prompt or (INSTRUCTION if self._chats else task)

    @classmethod
    def identity(cls, config: CaptionerConfig, runtime: Runtime) -> str | list[Any]:
        """What the model is, by content, for cache keys. Raises as `__init__` does."""
        folder = folder_of(config, runtime)
        if folder is None:
            return f"random parameters of {config.describe()}"
        return [(path.name, hub_file_hash(path)) for path in folder_files(folder)]

    @classmethod
    def needs(cls, config: CaptionerConfig) -> list[Need]:
        """The files that loading reads, here or not; touches no network."""
        return origin_needs(config.origin, (*CONFIG, CHECKPOINT))

    @classmethod
    def parameters(cls, config: CaptionerConfig) -> int:
        """How many numbers the model holds, found without its files. Raises as `__init__` does."""
        dry_run = Runtime(device="meta", offline=True, dry_run=True)
        model = random_model(config, dry_run)
        return parameter_count(model)

    def captions(self, images: Images) -> dict[str, str]:
        """Each image's caption, by id; empty where the model had nothing to say.

        Chat models see one image at a time: how many tokens an image is depends on its size.
        """
        return {name: texts[0] for name, texts in self._written(images, 0).items()}

    def samples(self, images: Images, count: int) -> dict[str, tuple[str, ...]]:
        """Several captions of each image, by id; see `EvenSampling`. Some may be empty.

        Args:
            images: Any.
            count: N captions each, at least 1.
        """
        return self._written(images, count)

    def _written(self, images: Images, count: int) -> dict[str, tuple[str, ...]]:
        captions: dict[str, tuple[str, ...]] = {}
        batches = self._of_conversations if self._chats else self._of_batches
        with closing(batches(images, count)) as written:
            for ids, texts in written:
                each = len(texts) // len(ids)
                for place, name in enumerate(ids):
                    captions[name] = tuple(texts[place * each : (place + 1) * each])
        return captions

    def _of_batches(self, images: Images, count: int) -> Written:
        """Pixels of one size, and the same prompt for each image."""
        text = self._text_inputs()

        def write(pixels: torch.Tensor) -> list[str]:
            rows = {name: value.repeat(len(pixels), 1) for name, value in text.items()}
            return self.write({"pixel_values": pixels, **rows}, count)

        size = parameter_count(self._model)
        return forward_batches(images, self.pixels, write, self._runtime, size, what="caption")

    def _of_conversations(self, images: Images, count: int) -> Written:
        for ids, inputs in self._conversations(images):
            yield ids, self.write(inputs, count)

    def _conversations(self, images: Images) -> Generator[tuple[tuple[str, ...], dict[str, Any]]]:
        """Images as parts of a conversation."""
        for name in self._runtime.progress(images.ids, what="caption", total=len(images)):
            content = [
                {"type": "image", "image": images.open(name)},
                {"type": "text", "text": self._prompt},
            ]
            inputs = self._processor.apply_chat_template(
                [[{"role": "user", "content": content}]],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
            yield (name,), dict(inputs)

    def pixels(self, image: Image) -> torch.Tensor:
        """One image as the model wants it, float32 of shape (3, H, W)."""
        processed = self._processor.image_processor(images=image, return_tensors="pt")
        pixels: torch.Tensor = processed.pixel_values[0]
        return pixels

    def _text_inputs(self) -> dict[str, Any]:
        """The prompt's tokens, of shape (1, L), with those that stand for the image."""
        if not self._prompt or isinstance(self._processor, StandIn):
            return {}
        from PIL.Image import new

        both = self._processor(images=new("RGB", (64, 64)), text=self._prompt, return_tensors="pt")
        text = {name: value for name, value in both.items() if name != "pixel_values"}
        if self._model.config.model_type == "git":  # it would go on after the end
            text = {name: value[:, :-1] for name, value in text.items()}
        return text

    def write(self, inputs: dict[str, Any], count: int = 0) -> list[str]:
        """A caption for each image of a batch, or ``count`` sampled ones, one image after another.

        The processor's tensors are the input.
        """
        device = self._runtime.device
        how: dict[str, Any] = {"num_beams": self._config.beams, "do_sample": False}
        if count:
            how |= {
                "do_sample": True,  # several of each image, which come from the processor
                "num_return_sequences": count,
                "logits_processor": [EvenSampling(count)],
                "top_k": 0,  # it leaves one token
                "custom_generate": take_likeliest,
            }
        with inference(self._runtime, self._model):
            tokens = self._model.generate(
                **{name: value.to(device) for name, value in inputs.items()},
                **self._lengths(inputs),
                **how,
            )
        texts = self._decoded(tokens)
        if "input_ids" in inputs:  # models that continue a text give it back
            heads = self._decoded(inputs["input_ids"].repeat_interleave(max(1, count), 0))
            texts = [text.removeprefix(head) for text, head in zip(texts, heads, strict=True)]
        return [tidy(text) if self._config.tidy else text.strip() for text in texts]

    def _lengths(self, inputs: dict[str, Any]) -> dict[str, int]:
        """The lengths in new tokens: a model's own configuration may hold such a limit, too.

        Raises:
            ConfigError: The prompt leaves no token for the caption.
        """
        config, start = self._config, 0
        if config.count == "all":
            start = inputs["input_ids"].shape[1] if "input_ids" in inputs else 1
            # BLIP's start takes the place of the tokenizer's, and its end is left out.
            start -= "input_ids" in inputs and self._model.config.model_type == "blip"
        if start >= config.max_tokens:
            raise ConfigError(
                f"{OWNER}: `max_tokens: {config.max_tokens}` with `count: all` leaves no token for "
                f"the caption: start and `prompt` take {start}"
            )
        return {
            "max_new_tokens": config.max_tokens - start,
            "min_new_tokens": max(0, config.min_tokens - start),
        }

    def _decoded(self, tokens: Any) -> list[str]:
        texts: list[str] = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return texts


def tidy(text: str) -> str:
    """One line, no stop at its end, and no word three times in a row, as small models write."""
    return _STUTTER.sub(r"\1", " ".join(text.split())).rstrip(" .,")
