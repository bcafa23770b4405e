"""From command-line switches to a runtime block."""

from __future__ import annotations

from pydantic import ValidationError

from unprompt._config.models import RuntimeConfig
from unprompt.errors import ConfigError


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
            f"--{str(mistake['loc'][0]).replace('_', '-')}: {mistake['msg']}"
            for mistake in error.errors()
        ]
        raise ConfigError(lines) from error
