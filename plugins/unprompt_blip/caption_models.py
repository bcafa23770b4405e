"""Loading captioners: from a folder, from the hub's cache, or with random parameters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from unprompt import Need, Runtime
from unprompt.towers import (
    CHECKPOINT,
    check_complete,
    check_folder,
    folder_needs,
    hub_folder,
    hub_need,
    loading,
)
from unprompt_blip.sources import FolderCaptioner, HubCaptioner

OWNER = "captioner"
CONFIG = ("config.json",)
PROCESSOR = ("preprocessor_config.json", "processor_config.json")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")

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
    """Takes a processor's place in a dry run without files: BLIP's pixels, numbers for words."""

    chat_template = None

    @property
    def image_processor(self) -> Any:
        """Of BLIP: 384 by 384 pixels."""
        from transformers import BlipImageProcessor

        return BlipImageProcessor()

    def batch_decode(self, tokens: Any, *, skip_special_tokens: bool) -> list[str]:
        """Token numbers as text."""
        return [" ".join(str(token) for token in row) for row in tokens.tolist()]


def model_needs(config: HubCaptioner | FolderCaptioner) -> list[Need]:
    """The files of `load`; touches no network."""
    groups = (CONFIG, PROCESSOR, TOKENIZER, CHECKPOINT)
    if isinstance(config, FolderCaptioner):
        return folder_needs(config.folder.path, *groups)
    return [hub_need(config.hub_id, names) for names in groups]


def folder_of(config: HubCaptioner | FolderCaptioner, runtime: Runtime) -> Path | None:
    """The model's folder, checked, downloaded where it may be.

    Returns:
        None in a dry run of a model whose architecture is known, where its files are not here.

    Raises:
        MissingFileError: A file is neither here nor on the hub.
        DataError: A file in the folder is damaged.
    """
    needed = [CONFIG, PROCESSOR, TOKENIZER] + [CHECKPOINT] * (not runtime.dry_run)
    if isinstance(config, FolderCaptioner):
        check_folder(config.folder.path, OWNER, *needed)
        return config.folder.path
    known = runtime.dry_run and config.hub_id in BLIP
    if known and not all(hub_need(config.hub_id, names).here for names in needed):
        return None
    return hub_folder(config.hub_id, needed, runtime, OWNER)


def load(config: HubCaptioner | FolderCaptioner, runtime: Runtime) -> tuple[Any, Any]:
    """Model, in evaluation mode on its device, and processor.

    Raises:
        MissingFileError: As `folder_of` does.
        DataError: A file is damaged or holds something else.
    """
    if runtime.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    folder = folder_of(config, runtime)
    processor = StandIn() if folder is None else _processor(folder, config)
    if runtime.dry_run or folder is None:
        return random_model(config, runtime).eval(), processor
    return _trained(folder, config).to(runtime.device).eval(), processor


def random_model(config: HubCaptioner | FolderCaptioner, runtime: Runtime) -> Any:
    """The architecture with random parameters, on the runtime's device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, BlipConfig

    folder = folder_of(config, runtime)
    if folder is None:
        assert isinstance(config, HubCaptioner)  # a folder is there, or `folder_of` raised
        architecture: Any = BlipConfig(
            text_config={"num_attention_heads": 12}, vision_config=BLIP[config.hub_id]
        )
    else:
        with loading(config.describe(), OWNER):
            architecture = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    with loading(config.describe(), OWNER), torch.device(runtime.device):
        auto: Any = AutoModelForImageTextToText
        return auto.from_config(architecture)


def _trained(folder: Path, config: HubCaptioner | FolderCaptioner) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    with loading(config.describe(), OWNER):
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    model, report = loaded
    check_complete(report["missing_keys"], config.describe(), OWNER)
    return model


def _processor(folder: Path, config: HubCaptioner | FolderCaptioner) -> Any:
    from transformers import AutoProcessor

    with loading(config.describe(), OWNER):
        auto: Any = AutoProcessor
        return auto.from_pretrained(str(folder), local_files_only=True)
