"""Options of plugins as what a run writes of them."""

from __future__ import annotations

import json

from pydantic import BaseModel

from unprompt.errors import PluginError


def check_written(options: BaseModel) -> None:
    """Check that options can be written, before anything is computed that cannot be kept.

    Raises:
        PluginError: They hold what JSON has not; the line is without plugin and call.
    """
    try:
        json.dumps(options.model_dump(mode="json"))
    except (TypeError, ValueError) as error:  # pydantic's own error is a ValueError
        raise PluginError(f"cannot be written as JSON: {error}") from error
