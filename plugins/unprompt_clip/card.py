"""The card of a trained member: what it was made of, how, and what it scored on validation."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

from unprompt import Runtime
from unprompt.train import Fitted
from unprompt_clip.training import TrainingOptions

if TYPE_CHECKING:
    from unprompt_clip.tuning import Tuned


NAMED = 20
"""Images that could not be read."""


def card_of(tower: str, training: TrainingOptions, tuned: Tuned, runtime: Runtime) -> str:
    """Markdown. Scores on holdout and test are those of a run, which says them with intervals."""
    lines = [
        f"# {tower}, trained",
        "",
        _images(tuned),
        "",
        *_head_lines(training, tuned),
        *([] if tuned.fitted is None else _fit_lines("Fine-tuning", tuned.fitted)),
        *_shares_lines(training, tuned),
        "",
        f"Made with {_machine(runtime)}.",
        "",
        "## Options",
        "",
        "```json",
        json.dumps(training.model_dump(mode="json"), indent=2),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _head_lines(training: TrainingOptions, tuned: Tuned) -> Iterator[str]:
    """How the head was made, before any fine-tuning."""
    if tuned.first is not None:
        yield from _fit_lines(f"The head (`{training.head.name}`) on frozen features", tuned.first)
    if tuned.probe is None:
        return
    if not tuned.probe.scores:
        yield f"Linear probe: penalty {tuned.probe.penalty:g}, by leave-one-out error."
        return
    yield f"Linear probe: penalty {tuned.probe.penalty:g}, by the cosine on validation:"
    yield from ("", "| penalty | cosine |", "|---|---|")
    for penalty, score in sorted(tuned.probe.scores.items()):
        yield f"| {penalty:g} | {score:.4f} |"
    yield ""


def _fit_lines(what: str, fitted: Fitted) -> Iterator[str]:
    """Steps, scores and time of a fit."""
    scores = ", ".join(f"{name} {value:.4f}" for name, value in fitted.scores.items())
    yield (
        f"{what}: {fitted.steps:,} steps in {fitted.seconds / 60:.1f} minutes"
        + (f" and {fitted.attempts} attempts" if fitted.attempts > 1 else "")
        + (f"; of step {fitted.best_step:,}, on validation: {scores}." if scores else ".")
    )
    if fitted.broken:
        names = ", ".join(f"`{name}`" for name in [*fitted.broken][:NAMED])
        yield (
            f"{len(fitted.broken):,} images could not be read meanwhile, and were left out: "
            f"{names}{' and others' if len(fitted.broken) > NAMED else ''}."
        )


def _images(tuned: Tuned) -> str:
    """How the images of the train split were divided."""
    words = [f"Fitted to {tuned.images:,} {'image' if tuned.images == 1 else 'images'}."]
    if tuned.held:
        others = "other was" if tuned.held == 1 else "others were"
        words.append(
            f"{tuned.held:,} {others} held back of the train split for validation, in whole groups "
            "of near-duplicates."
        )
    return " ".join([*words, tuned.broken])


def _shares_lines(training: TrainingOptions, tuned: Tuned) -> Iterator[str]:
    """What came of `wise_ft`."""
    if tuned.fitted is None or not training.wise_ft:
        return
    share = tuned.fitted.interpolation
    if tuned.held:
        tried = ", ".join(f"{part:g}" for part in training.wise_ft)
        yield f"Shares of the fine-tuned parameters tried afterwards (WiSE-FT): {tried} and 1."
    yield f"The result is {share:g} of the way from the start to the fine-tuned parameters."


def _machine(runtime: Runtime) -> str:
    """Device, processor and PyTorch."""
    import torch

    on_gpu = torch.device(runtime.device).type == "cuda"
    device = torch.cuda.get_device_name(runtime.device) if on_gpu else platform.machine()
    threads = "" if on_gpu else f" with {torch.get_num_threads()} threads"
    return f"PyTorch {torch.__version__} on {device}{threads}, {runtime.precision}"
