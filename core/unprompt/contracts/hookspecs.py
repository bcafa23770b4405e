"""Every hook that a plugin can implement; these docstrings are the reference.

A plugin is a light module named by an entry point in the group ``unprompt``. It implements any of
these functions, marked with ``unprompt.hookimpl``. Core calls them one plugin at a time, so that
errors name the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unprompt.contracts import RunView
    from unprompt.contracts.specs import (
        DatasetSpec,
        ObserverSpec,
        PredictorSpec,
        TextEncoderSpec,
    )
    from unprompt.embeddings import Embeddings
    from unprompt.types import Json

GROUP = "unprompt"
"""The entry-point group, and pluggy's project name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def unprompt_predictor() -> PredictorSpec | None:
    """Offer a model family under the plugin's own name.

    When: once, when a member (or ``unprompt plugins --check``) first names the plugin. Must not
    import heavy modules; the spec only names the class.

    Returns:
        The spec, with the entry point's name as its ``name``; None: this plugin has no family.
    """


@hookspec
def unprompt_dataset() -> DatasetSpec | None:
    """Offer a dataset under the plugin's own name.

    When: once, when ``data.plugin`` (or ``--check``) first names the plugin. Must not import
    heavy modules.

    Returns:
        The spec, with the entry point's name as its ``name``; None: this plugin has no dataset.
    """


@hookspec
def unprompt_text_encoder() -> TextEncoderSpec | None:
    """Offer a text encoder under the plugin's own name.

    When: once, when ``text_encoder.plugin`` (or ``--check``) first names the plugin. Must not
    import heavy modules.

    Returns:
        The spec, with the entry point's name as its ``name``; None: this plugin has no text
        encoder.
    """


@hookspec
def unprompt_observer() -> ObserverSpec | None:
    """Offer an observer of runs, with options, under the plugin's own name.

    When: once, when ``observers`` (or ``--check``) first names the plugin. Must not import heavy
    modules.

    Returns:
        The spec, with the entry point's name as its ``name``; None: this plugin has no observer.
    """


@hookspec
def unprompt_run_started(run: RunView) -> None:
    """Called when a run starts.

    When: once per run, after the configuration is valid and the run's folder exists, before any
    image is opened. Called on every plugin that the experiment names, ``observers`` included.

    Args:
        run: The run's name, folder and resolved configuration.
    """


@hookspec
def unprompt_training_measured(
    run: RunView, member: str, step: int, values: Mapping[str, float]
) -> None:
    """Called with what a member's training measured.

    When: for each step that the training logs, in their order, while the member trains, before it
    predicts. Steps that were measured earlier come first, at once: those before an interruption,
    and all of them where what the member learned comes from the cache or from another run. A member
    that does not train is never named. Trainings on folds (``search.folds``) are not reported.

    An exception here never fails a run, as a training may have taken days: it is a warning, once,
    and the plugin hears no more of that training. Exceptions of all other lifecycle hooks end the
    run.

    Args:
        run: As in `unprompt_run_started`.
        member: The member's name in the ensemble.
        step: Optimiser steps taken so far.
        values: Metrics by name: ``loss``, ``learning_rate``, ``images_per_second``, ``epoch``
            (passes over the train split so far), ``seconds`` (of training so far), and at some
            steps a score on validation images, such as ``validation cosine``. Families may have
            others; values may be NaN or infinite.
    """


@hookspec
def unprompt_member_predicted(
    run: RunView, member: str, split: str, embeddings: Embeddings
) -> None:
    """Called with one member's predictions.

    When: once per member and split (``holdout``, then ``test``), in the ensemble's order, also
    when they came from the cache.

    Args:
        run: As in `unprompt_run_started`.
        member: The member's name in the ensemble.
        split: ``holdout`` or ``test``.
        embeddings: Unit rows, or zero rows where the member has no answer, keyed by ``image_id``,
            of shape (N, D); read-only.
    """


@hookspec
def unprompt_run_finished(run: RunView, scores: Json) -> None:
    """Called when a run is finished.

    When: once, after everything has been written and the folder has its final name.

    Args:
        run: As before; ``run.folder`` is the final folder.
        scores: The content of ``scores.json``.
    """


@hookspec
def unprompt_run_failed(run: RunView, error: BaseException) -> None:
    """Called when a run ends early.

    When: once, instead of `unprompt_run_finished`, also on Ctrl-C; not when the process is
    killed. If this hook raises, its exception is added to the error as a note.

    Args:
        run: As before; the folder is removed after this call.
        error: The exception that ended the run.
    """
