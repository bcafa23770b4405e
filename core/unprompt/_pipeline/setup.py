"""From switches and paths to what every command works with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import ValidationError

from unprompt._config.location import on_disk
from unprompt._config.models import RuntimeConfig
from unprompt._files import paths
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._registry.plugins import Registry
from unprompt._runs import files
from unprompt.contracts import Progress, Runtime, silent
from unprompt.errors import ConfigError, DataError
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
        DataError: There is no place for a cache.
    """
    check_device(config.device)
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    _silence_libraries()
    runtime = Runtime(**resolved(config).model_dump(), offline=offline, progress=progress)
    return Context(registry, runtime, Cache.default())


def runtime_config(device: str, precision: str, batch_size: int) -> RuntimeConfig:
    """Where and how to compute, checked.

    Raises:
        ConfigError: A value that an experiment's runtime block would not take; one line each.
    """
    values = {"device": device, "precision": precision, "batch_size": batch_size}
    try:
        return RuntimeConfig.model_validate(values)
    except ValidationError as error:
        mistakes = [(str(mistake["loc"][0]), mistake["msg"]) for mistake in error.errors()]
        raise ConfigError(
            [f"{name} (--{name.replace('_', '-')}): {what}" for name, what in mistakes]
        ) from error


def ensemble_file(path: Path) -> Path:
    """The YAML file that an ensemble's path or a run's folder means.

    Raises:
        DataError: A folder without ``ensemble.yaml``, a path that nobody can look at, or a package
            that is not installed.
    """
    real = on_disk(path)
    if not paths.is_folder(real):
        return path
    if not paths.is_file(real / files.ENSEMBLE):
        raise DataError(
            f"{paths.shown(path)}: no {files.ENSEMBLE} in it, so it is neither an ensemble nor a "
            "finished run"
        )
    return path / files.ENSEMBLE


def _silence_libraries() -> None:
    """Progress is ours to show. Libraries read the environment when they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    if "transformers" in sys.modules:  # by a program that calls commands in its own process
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
