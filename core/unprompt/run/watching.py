"""What a study shows to those who open it in a dashboard: a note, plots, and files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.run.cases import CONTACT, TABLE
from unprompt.run.folder import WEIGHTS
from unprompt.search.plots import contributions_figure, scores_figure
from unprompt.types import Json

if TYPE_CHECKING:
    import optuna

ARTIFACTS = "artifacts-study"


def dress(
    study: optuna.Study, folder: Path, scores: Mapping[str, Json], manifest: Mapping[str, Json]
) -> None:
    """Give a study its note, plots of its result, and artifacts.

    The artifacts are the weights, the table of test pictures and the contact sheet.

    Args:
        study: The run's.
        folder: The run's, everything else written.
        scores: The content of ``scores.json``.
        manifest: The content of ``manifest.json``.
    """
    import optuna
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact
    from optuna_dashboard import save_note, save_plotly_graph_object

    (folder / ARTIFACTS).mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        store = FileSystemArtifactStore(str(folder / ARTIFACTS))
        for name in (WEIGHTS, TABLE, CONTACT):
            upload_artifact(
                artifact_store=store, study_or_trial=study, file_path=str(folder / name)
            )
    save_note(study, note(scores, manifest))
    save_plotly_graph_object(study, scores_figure(scores), graph_object_id="scores")
    if scores["leave_one_out"]:
        figure = contributions_figure(scores)
        save_plotly_graph_object(study, figure, graph_object_id="leave-one-out")


def note(scores: Mapping[str, Json], manifest: Mapping[str, Json]) -> str:
    """What the study is, on what data and split, what came of it, and how to repeat it; Markdown."""
    test, search = scores["test"], scores["search"]
    sizes = [f"{scores['train']['images']} train"]
    sizes += [f"{scores[split]['images']} {split}" for split in ("holdout", "test")]
    blend, equal = test["ensemble"], test["paired"]["ensemble_minus_equal"]
    rows = [
        f"| {name} | {weight:.3f} | {test['members'][name]['score']:.4f} |"
        for name, weight in scores["weights"].items()
    ]
    lines = [
        f"# {scores['experiment']}",
        "",
        (
            "Each trial is a choice of blend weights; its value is the mean cosine of the blend with "
            "the true prompts on the holdout. Members are scaled to unit length first."
        ),
        "",
        f"- Pictures: {', '.join(sizes)}; splits never cut a group of near-duplicate prompts.",
        (
            f"- Best trial: {search['best_trial']} with {search['best_value']:.6f}; polished: "
            f"{search['polish']['score']:.6f}."
        ),
        (
            f"- On test: {blend['score']:.4f} [{blend['ci95'][0]:.4f}, {blend['ci95'][1]:.4f}]; minus "
            f"equal weights {equal['score']:+.4f} [{equal['ci95'][0]:+.4f}, {equal['ci95'][1]:+.4f}]."
        ),
        (
            f"- Split {manifest['splits_hash'][:12]}, data {manifest['data_hash'][:12]}, unprompt "
            f"{manifest['versions']['unprompt']}, Optuna {manifest['versions']['optuna']}."
        ),
        "",
        "| member | weight | test |",
        "|---|---|---|",
        *rows,
        "",
        "Repeat with `unprompt run experiment.yaml`, the file in the run's folder.",
    ]
    return "\n".join(lines)
