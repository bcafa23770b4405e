"""From a runtime block to what every command works with."""

from __future__ import annotations

import os
import sys

from unprompt._config.models import RuntimeConfig
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._registry.plugins import Registry
from unprompt.contracts import Progress, Runtime, silent
from unprompt.towers.precision import check_device, resolved


def make_context(
    registry: Registry,
    config: RuntimeConfig,
    *,
    offline: bool = False,
    progress: Progress = silent,
) -> Context:
    """Registry, runtime and the default cache.

    Args:
        registry: The plugins.
        config: Device, precision, batch size.
        offline: Keep hub libraries off the network; they read this when they are imported.
        progress: Shows progress.

    Raises:
        ConfigError: The device cannot be used here.
    """
    check_device(config.device)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    _silence_libraries()
    runtime = Runtime(**resolved(config).model_dump(), offline=offline, progress=progress)
    return Context(registry, runtime, Cache.default())


def _silence_libraries() -> None:
    """Progress is ours to show. Libraries read the environment when they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    if "transformers" in sys.modules:  # by a program that calls commands in its own process
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
