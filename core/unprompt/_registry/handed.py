"""What plugins are handed: copies, so that a plugin that changes them changes nothing else."""

from __future__ import annotations

from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from unprompt.contracts import RunView, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import UnpromptError


def handed(value: Any) -> Any:  # whatever a contract passes
    """An argument of a call as a plugin gets it.

    Rows are read-only copies; what a run is described by, and its scores, are deep copies.
    """
    if isinstance(value, Embeddings):
        return _read_only(value)
    if isinstance(value, TrainSet):
        return replace(value, targets=_read_only(value.targets))
    if isinstance(value, RunView):
        return replace(value, experiment=deepcopy(dict(value.experiment)))
    if isinstance(value, UnpromptError):
        return _error_like(value)
    if isinstance(value, dict):
        return deepcopy(value)
    return list(value) if isinstance(value, list) else value


def _error_like(error: UnpromptError) -> UnpromptError:
    """A copy of an error, which somebody else still shows."""
    with suppress(Exception):  # a subclass of a plugin may take other arguments
        made = copy(error).with_traceback(error.__traceback__)
        made.__cause__ = error.__cause__
        return made
    return error


def _read_only(embeddings: Embeddings) -> Embeddings:
    rows = np.array(embeddings.rows)
    rows.flags.writeable = False
    return replace(embeddings, rows=rows)
