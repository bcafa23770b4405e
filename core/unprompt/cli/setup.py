"""From command-line switches to what predicting needs."""

from __future__ import annotations

import os
import sys

from pydantic import ValidationError

from unprompt.backbones.precision import check_device, resolved
from unprompt.cache import Cache
from unprompt.config.models import RuntimeConfig
from unprompt.console import progress_on
from unprompt.contracts import Runtime
from unprompt.errors import ConfigError
from unprompt.predict import Workshop
from unprompt.registry import Registry


def workshop(
    registry: Registry, config: RuntimeConfig, *, offline: bool = False, quiet: bool = False
) -> Workshop:
    """Registry, runtime and the default cache.

    Args:
        registry: The plugins.
        config: What the YAML says about the device.
        offline: Keep hub libraries off the network; they read this when they are imported.
        quiet: Show no progress.

    Raises:
        ConfigError: The device cannot be used here.
    """
    check_device(config.device)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    _silence_libraries()
    progress = progress_on(quiet=quiet)
    runtime = Runtime(**resolved(config).model_dump(), offline=offline, progress=progress)
    return Workshop(registry, runtime, Cache.default())


def _silence_libraries() -> None:
    """Progress is ours to show. Libraries read the environment when they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    if "transformers" in sys.modules:  # by a program that calls commands in its own process
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there


def runtime_config(device: str, precision: str, batch_size: int) -> RuntimeConfig:
    """Switches as the YAML's runtime block.

    Raises:
        ConfigError: A value that the block would not take; one line each.
    """
    try:
        return RuntimeConfig.model_validate(
            {"device": device, "precision": precision, "batch_size": batch_size}
        )
    except ValidationError as error:
        lines = [
            f"--{str(found['loc'][0]).replace('_', '-')}: {found['msg']}"
            for found in error.errors()
        ]
        raise ConfigError(lines) from error
