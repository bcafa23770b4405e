"""Loading captioners: from a folder, from the hub's cache, or with random weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unprompt import MissingFileError, Need, Runtime
from unprompt.towers import check_folder, hub_folder, hub_need
from unprompt_blip.options import CaptionerConfig

OWNER = "captioner"
CONFIG = ("config.json",)
PROCESSOR = ("preprocessor_config.json", "processor_config.json")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")

_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}
BLIP: dict[str, dict[str, Any]] = {
    "Salesforce/blip-image-captioning-base": {},
    "Salesforce/blip-image-captioning-large": _LARGE,
}
"""Vision architectures, as ``transformers.BlipVisionConfig`` takes them.

Source: each repository's ``config.json``, without what transformers has as its default. The text
decoder is the same: 12 layers of 768 with 12 heads.
"""


class StandIn:
    """A processor's place in a rehearsal without files: BLIP's pixels, numbers for words."""

    chat_template = None

    @property
    def image_processor(self) -> Any:
        """Of BLIP: 384 by 384 pixels."""
        from transformers import BlipImageProcessor

        return BlipImageProcessor()

    def batch_decode(self, tokens: Any, *, skip_special_tokens: bool) -> list[str]:
        """Token numbers as text."""
        return [" ".join(str(token) for token in row) for row in tokens.tolist()]


def model_needs(config: CaptionerConfig) -> list[Need]:
    """The files of `load`; touches no network."""
    groups = (CONFIG, PROCESSOR, TOKENIZER, WEIGHTS)
    if config.folder is None:
        return [hub_need(config.hub_id, names) for names in groups]
    folder = config.folder.path
    return [
        Need(" or ".join(names), str(folder), any((folder / name).is_file() for name in names))
        for names in groups
    ]


def folder_of(config: CaptionerConfig, runtime: Runtime) -> Path | None:
    """The model's folder, checked, downloaded where it may be.

    Returns:
        None in a rehearsal of a model whose architecture is known, where its files are not here.

    Raises:
        MissingFileError: A file is neither here nor on the hub, or it is broken.
    """
    needed = [CONFIG, PROCESSOR, TOKENIZER] + [WEIGHTS] * (not runtime.rehearsal)
    if config.folder is not None:
        check_folder(config.folder.path, OWNER, *needed)
        return config.folder.path
    known = runtime.rehearsal and config.hub_id in BLIP
    if known and not all(hub_need(config.hub_id, names).here for names in needed):
        return None
    return hub_folder(config.hub_id, needed, runtime, OWNER)


def load(config: CaptionerConfig, runtime: Runtime) -> tuple[Any, Any]:
    """Model, in evaluation mode on its device, and processor. Raises as `folder_of` does."""
    if runtime.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    folder = folder_of(config, runtime)
    processor = StandIn() if folder is None else _processor(folder, config)
    if runtime.rehearsal or folder is None:
        return random_model(config, runtime).eval(), processor
    return _trained(folder, config).to(runtime.device).eval(), processor


def random_model(config: CaptionerConfig, runtime: Runtime) -> Any:
    """The architecture with random weights, on the runtime's device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, BlipConfig

    folder = folder_of(config, runtime)
    if folder is None:
        architecture: Any = BlipConfig(
            text_config={"num_attention_heads": 12}, vision_config=BLIP[config.hub_id]
        )
    else:
        architecture = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    with _complaining(config), torch.device(runtime.device):
        auto: Any = AutoModelForImageTextToText
        return auto.from_config(architecture)


def _trained(folder: Path, config: CaptionerConfig) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    with _complaining(config):
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    model, found = loaded
    if found["missing_keys"]:  # transformers would make them up at random
        lacks = ", ".join(sorted(found["missing_keys"])[:5])
        raise MissingFileError(f"{OWNER}: {config.describe()} lacks {lacks}")
    return model


def _processor(folder: Path, config: CaptionerConfig) -> Any:
    from transformers import AutoProcessor

    with _complaining(config):
        auto: Any = AutoProcessor
        return auto.from_pretrained(str(folder), local_files_only=True)


@contextmanager
def _complaining(config: CaptionerConfig) -> Iterator[None]:
    """Turn what transformers says of files that it cannot use into one line."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        what = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MissingFileError(f"{OWNER}: cannot load {config.describe()}: {what}") from error
