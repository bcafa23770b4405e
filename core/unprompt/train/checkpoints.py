"""Checkpoints of a fit: one file each, which is there whole or not at all.

A checkpoint holds the model, its moving average, the optimiser's state and where in which epoch it
was written. Random numbers need no place in it: order, augmentations and dropout are functions of
random seed, epoch and step. Learning rates are functions of the step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from unprompt._files import paths
from unprompt._files.reading import reading
from unprompt.errors import ConfigError, DataError, first_line, named
from unprompt.train.alone import alone_in
from unprompt.train.state_file import read_state, write_state
from unprompt.types import Json

if TYPE_CHECKING:
    import torch

LAST, BEST = "last.safetensors", "best.safetensors"
FOLDER = "checkpoints"
"""Inside the folder of a training."""

ADVICE = "start anew with `unprompt train ... --resume never`"


class Position(BaseModel):
    """Where a fit is.

    Attributes:
        step: Optimiser steps taken.
        seconds: Time spent, over all attempts.
        best: Scores of the best validation so far.
        best_step: Its step.
        last: Scores of the last validation.
        broken: The samples that could not be read, as `BrokenSamples.state` has them.
        attempts: How often training was started.
    """

    model_config = ConfigDict(extra="forbid")

    step: int = 0
    seconds: float = 0.0
    best: dict[str, float] = {}
    best_step: int = 0
    last: dict[str, float] = {}
    broken: dict[str, Any] = {}
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What a checkpoint is made of and filled from.

    Attributes:
        model: What is fitted.
        average: The moving average of its parameters; None: there is none.
        optimizer: Its optimiser.
        identity: All that the fit depends on, flat: a checkpoint of another one is refused.
        free: Keys of `identity` that may differ.
    """

    model: torch.nn.Module
    average: torch.nn.Module | None
    optimizer: torch.optim.Optimizer
    identity: Mapping[str, Json]
    free: frozenset[str] = field(default=frozenset())


def save(path: Path, state: State, position: Position) -> None:
    """Write a checkpoint, by rename.

    Raises:
        OutputError: It cannot be written; the one before is still there.
    """
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    if state.average is not None:
        averaged = state.average.state_dict().items()
        tensors |= {f"average.{name}": value for name, value in averaged}
    moments, groups = _flat(state.optimizer)
    content = {
        "position": position.model_dump(),
        "identity": dict(state.identity),
        "groups": groups,
    }
    write_state(path, tensors | moments, content)


def save_model(path: Path, model: torch.nn.Module, position: Position) -> None:
    """Write the parameters alone, by rename. Raises OutputError as `save` does."""
    write_state(path, dict(model.state_dict()), {"position": position.model_dump()})


def load(path: Path, state: State) -> Position:
    """Fill model, average and optimiser from what `save` wrote.

    Raises:
        ConfigError: It is of a fit with other options or data; names what differs.
        DataError: It is damaged.
    """
    tensors, content = read_state(path)
    _check_identity(path, content.get("identity"), state)
    position = _position(path, content)
    with reading(path, RuntimeError, KeyError, ValueError):
        state.model.load_state_dict(_below("model", tensors))
        if state.average is not None:
            state.average.load_state_dict(_below("average", tensors))
        _fill(state.optimizer, tensors, content["groups"])
    return position


def kept(folder: Path, step: int) -> str:
    """What is there of a training in a folder that ends behind its checkpoint of a step, or 0."""
    if not step:
        return "there is no checkpoint yet"
    return f"the checkpoint of step {step} is kept: {paths.shown(folder / LAST)}"


def forget(folder: Path) -> None:
    """Remove the checkpoints of a training, those of its parts included.

    Raises:
        OutputError: Another process trains there now.
    """
    if not paths.exists(folder):
        return
    with alone_in(folder):
        for checkpoints in [*folder.rglob(FOLDER)]:
            shutil.rmtree(checkpoints, ignore_errors=True)


def resume(folder: Path, state: State) -> Position:
    """Fill model, average and optimiser from the last checkpoint of a folder, if there is one.

    A process may have been killed after it wrote the best parameters, and before the checkpoint
    that says so. Then the best ones count as such already: the same training finds them again.

    Raises:
        ConfigError: See `load`.
        DataError: See `load`; or the best parameters are damaged or gone.
    """
    last, best = folder / LAST, folder / BEST
    if not paths.exists(last):
        return Position()
    with _advised():
        position = load(last, state)
        if position.best:
            # All of it is read, so that damage is found now and not at the end.
            written = _position(best, read_state(best)[1])
            position.best, position.best_step = written.best, written.best_step
    return position


@contextmanager
def _advised() -> Iterator[None]:
    """Say what to do about a checkpoint that cannot be gone on with."""
    try:
        yield
    except DataError as error:
        lines = [f"{line}; {ADVICE}" for line in error.problems]
        raise DataError(lines) from error


def load_model(path: Path, model: torch.nn.Module) -> Position:
    """Fill a model with what `save_model` wrote. Raises DataError if it is damaged."""
    tensors, content = read_state(path)
    with reading(path, RuntimeError, KeyError, ValueError):
        model.load_state_dict(tensors)
    return _position(path, content)


def _position(path: Path, content: Mapping[str, Any]) -> Position:
    try:
        return Position.model_validate(content.get("position"))
    except ValidationError as error:
        raise DataError(f"{paths.shown(path)}: not a checkpoint: {first_line(error)}") from error


def _check_identity(path: Path, found: object, state: State) -> None:
    """Refuse a checkpoint of another fit, with the keys that differ."""
    known = found if isinstance(found, dict) else {}
    here = dict(state.identity)
    differing = sorted(
        key for key in (known.keys() | here.keys()) - state.free if known.get(key) != here.get(key)
    )
    if differing:
        changes = [
            f"{key} {_brief(known.get(key))}, now {_brief(here.get(key))}" for key in differing
        ]
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        raise ConfigError(
            f"{paths.shown(path)}: of another training: {'; '.join(changes[:5])}{more}; "
            f"go back to its options, or {ADVICE}"
        )


def _brief(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flat(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """The optimiser's state as tensors by name, and its groups without parameters."""
    import torch

    state = optimizer.state_dict()
    tensors = {
        f"optimizer.{number}.{name}": torch.as_tensor(value)
        for number, values in state["state"].items()
        for name, value in values.items()
    }
    groups = [
        {name: value for name, value in group.items() if isinstance(value, int | float | list)}
        for group in state["param_groups"]
    ]
    return tensors, groups


def _fill(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    groups: list[dict[str, Any]],
) -> None:
    """Put back what `_flat` took; what a group says beside numbers is the optimiser's own."""
    own = optimizer.state_dict()
    if [group["params"] for group in groups] != [g["params"] for g in own["param_groups"]]:
        raise ValueError(f"the optimiser has other groups: {named([str(len(groups))])}")
    moments: dict[int, dict[str, torch.Tensor]] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in _below("optimizer", tensors).items():
        number, _, name = key.partition(".")
        moments.setdefault(int(number), {})[name] = _laid_out(value, parameters[int(number)])
    merged = [mine | group for mine, group in zip(own["param_groups"], groups, strict=True)]
    optimizer.load_state_dict({"state": moments, "param_groups": merged})


def _laid_out(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A moment in its parameter's memory layout: in another one, sums are rounded otherwise."""
    import torch

    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): value for k, value in tensors.items() if k.startswith(start)}
