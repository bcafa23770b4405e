"""What a training measured: a line of JSON for each step that it logs.

Values that are no finite numbers are the texts ``NaN``, ``Infinity`` and ``-Infinity``, as in the
JSON of Protocol Buffers: strict readers of JSON know no such numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unprompt._files.paths import shown
from unprompt._files.reading import parse_json, read_bytes
from unprompt.errors import DataError

FOLDER = "training"
"""The folder of an artifact with what its training left: `METRICS` and `CARD`."""
METRICS = "metrics.jsonl"
"""The file of metrics, in a training's folder and in an artifact's `FOLDER`."""
CARD = "README.md"
"""The card of what was trained, beside `METRICS`."""
OWN_KEYS = ("step", "epoch", "seconds")
"""Keys of a line that are no metrics."""

_FILE_LIMIT = 256 << 20
"""Bytes of a file of metrics: about two million lines."""
_LINE_LIMIT = 64 << 10
"""Bytes of a line."""
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class MetricsLine:
    """What was measured at one step.

    Attributes:
        step: Optimiser steps taken so far.
        epoch: Passes over the train split so far; may be a fraction.
        seconds: Of training so far, without the time between an interruption and its resumption.
        values: Metrics by name, such as ``loss``; may be NaN or infinite.
    """

    step: int
    epoch: float
    seconds: float
    values: Mapping[str, float]

    @property
    def measured(self) -> dict[str, float]:
        """The metrics, with epoch and seconds among them, as observers hear of them."""
        return {"epoch": self.epoch, "seconds": self.seconds, **self.values}

    def text(self) -> str:
        """The line in the file, with its end."""
        values = {name: _plain(value) for name, value in self.measured.items()}
        line = {"step": self.step, **values}
        return json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"


def read_metrics(path: Path) -> tuple[MetricsLine, ...]:
    """A file of metrics, in the order of its steps.

    A last line that a killed process has cut is left out.

    Raises:
        DataError: It cannot be read, is too long, or lines of it are damaged; names the first.
    """
    lines, problems = scan_metrics(path)
    if problems:
        others = len(problems) - 1
        more = f" (and {others} more line{'s' * (others > 1)})" if others else ""
        raise DataError(problems[0] + more)
    return tuple(lines)


def scan_metrics(path: Path) -> tuple[list[MetricsLine], list[str]]:
    """As `read_metrics`, with the lines that can be read, and what is wrong with the others.

    Raises:
        DataError: The file cannot be read at all, or is too long.
    """
    content = read_bytes(path, limit=_FILE_LIMIT)
    lines: list[MetricsLine] = []
    problems: list[str] = []
    pieces = content.split(b"\n")
    for number, piece in enumerate(pieces, start=1):
        if not piece.strip():
            continue
        where = f"{shown(path)}:{number}"
        try:
            line = _parsed(piece, where)
            if lines and line.step <= lines[-1].step:
                raise DataError(f"{where}: step {line.step} after step {lines[-1].step}")
            lines.append(line)
        except DataError as error:
            if number < len(pieces):  # the last one has no end: it was cut
                problems.append(error.problems[0])
    return lines, problems


def _parsed(piece: bytes, where: str) -> MetricsLine:
    """One line. Raises DataError."""
    if len(piece) > _LINE_LIMIT:
        raise DataError(f"{where}: a line of more than {_LINE_LIMIT:,} bytes")
    content = parse_json(piece, dict, where, distinct=True)
    step = content.get("step")
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise DataError(f"{where}: step: should be a whole number, at least 0")
    values = {name: _number(value, name, where) for name, value in content.items()}
    for name in ("epoch", "seconds"):
        if not 0 <= values.get(name, math.nan) < math.inf:
            raise DataError(f"{where}: {name}: should be a finite number, at least 0")
    named = {name: value for name, value in values.items() if name not in OWN_KEYS}
    return MetricsLine(step, values["epoch"], values["seconds"], named)


def _number(value: Any, name: str, where: str) -> float:
    """A value of a line. Raises DataError."""
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise DataError(f"{where}: {name[:80]}: should be a number, NaN, Infinity or -Infinity")


def _plain(value: float) -> float | str:
    """A value as strict JSON can hold it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
