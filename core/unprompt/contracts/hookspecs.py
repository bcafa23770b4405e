"""Every hook that a plugin can implement; the docstrings are the reference.

A plugin is a light module named by an entry point in the group ``unprompt``. It implements any of
these functions, marked with ``unprompt.hookimpl``. Core calls them one plugin at a time, so that
each answer and each failure has an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from unprompt.contracts import RunView
    from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
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
    import heavy modules: the spec only names its class.

    Returns:
        The spec, its ``name`` equal to the entry point's; None: this plugin has no family.
    """


@hookspec
def unprompt_dataset() -> DatasetSpec | None:
    """Offer a dataset reader under the plugin's own name.

    When: once, when ``data.plugin`` (or ``--check``) first names the plugin. As light as
    `unprompt_predictor`.

    Returns:
        The spec, its ``name`` equal to the entry point's; None: this plugin reads no dataset.
    """


@hookspec
def unprompt_text_encoder() -> TextEncoderSpec | None:
    """Offer a target space under the plugin's own name.

    When: once, when ``text_encoder.plugin`` (or ``--check``) first names the plugin. As light as
    `unprompt_predictor`.

    Returns:
        The spec, its ``name`` equal to the entry point's; None: this plugin has no text encoder.
    """


@hookspec
def unprompt_run_started(run: RunView) -> None:
    """Learn that an experiment begins.

    When: once per run, after the configuration is valid and the run's folder exists, before any
    image is opened. Called on every plugin that the experiment names, ``observers`` included.

    Args:
        run: The run's name, folder and resolved configuration.
    """


@hookspec
def unprompt_member_predicted(
    run: RunView, member: str, split: str, embeddings: Embeddings
) -> None:
    """See one member's predictions.

    When: once per member and split (``holdout``, then ``test``), in the ensemble's order, also
    when they came from the cache.

    Args:
        run: As in `unprompt_run_started`.
        member: The member's name in the ensemble.
        split: ``holdout`` or ``test``.
        embeddings: Unit rows keyed by ``image_id``, of shape (N, D); not to be changed.
    """


@hookspec
def unprompt_run_finished(run: RunView, scores: Json) -> None:
    """Learn the result.

    When: once, after everything has been written and the folder has its final name.

    Args:
        run: As before; ``run.folder`` is the final folder.
        scores: The content of ``scores.json``.
    """


@hookspec
def unprompt_run_failed(run: RunView, error: BaseException) -> None:
    """Learn that a run ended early.

    When: once, instead of `unprompt_run_finished`, also on Ctrl-C; not when the process is
    killed. Whatever this hook raises is added to the error as a note and does not hide it.

    Args:
        run: As before; the folder is removed after this call.
        error: What ended the run.
    """
