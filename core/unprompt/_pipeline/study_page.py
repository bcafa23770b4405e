"""What a study shows to those who open it in a dashboard: a note, plots, and files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unprompt._pipeline.study_plots import contributions_figure, scores_figure
from unprompt._runs import files
from unprompt._runs.baselines import coverage_notes
from unprompt._runs.run import Run
from unprompt._runs.scores import SplitScores
from unprompt._scoring.digits import fixed, interval_end, weight
from unprompt._scoring.estimate import Estimate
from unprompt._search.storages import in_use
from unprompt._search.summary import SearchSummary

if TYPE_CHECKING:
    import optuna

    from unprompt._pipeline.search import FilledStudy


def annotate_study(study: optuna.Study, run: Run) -> None:
    """Give a study its note, plots of its result, and artifacts.

    The artifacts are the ensemble, the table of test images and the contact sheet.

    Args:
        study: The run's.
        run: Everything else of its folder written.
    """
    import optuna
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact
    from optuna_dashboard import save_note, save_plotly_graph_object

    (run.folder / files.STUDY_FILES).mkdir()
    with in_use(run.scores.search.storage or str(run.folder / files.STUDY)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            store = FileSystemArtifactStore(str(run.folder / files.STUDY_FILES))
            for name in (files.ENSEMBLE, files.IMAGES, files.CONTACT_SHEET):
                path = str(run.folder / name)
                upload_artifact(artifact_store=store, study_or_trial=study, file_path=path)
        save_note(study, note(run))
        save_plotly_graph_object(study, scores_figure(run.scores), graph_object_id="scores")
        if run.scores.leave_one_out:
            figure = contributions_figure(run.scores)
            save_plotly_graph_object(study, figure, graph_object_id="leave-one-out")


def annotate_search(study: optuna.Study, filled: FilledStudy, sizes: Mapping[str, int]) -> None:
    """Give a study that no run has filled its note.

    Args:
        study: The one that was filled.
        filled: What came of it.
        sizes: ``train`` and ``holdout`` -> how many images they have.
    """
    from optuna_dashboard import save_note

    with in_use(filled.storage):
        save_note(study, search_note(filled, sizes))


def note(run: Run) -> str:
    """What the study is, on what data, what came of it, and how to repeat it; Markdown."""
    scores, manifest, test = run.scores, run.manifest, run.scores.test
    counted = ", ".join(f"{images} {name}" for name, images in scores.sizes.items())
    blend, equal = test.ensemble, test.paired.ensemble_minus_equal
    rows = [
        f"| {name} | {weight(value)} | {test.members[name].score:.4f} |{_answered(test, name)}"
        for name, value in scores.weights.items()
    ]
    lines = [
        *_beginning(run.name, f"{counted}; {scores.leak.summary()}", scores.search),
        *_options(scores.options),
        (
            f"- On test: {_with_interval(blend)}; minus equal weights "
            f"{_with_interval(equal, signed=True)}; 95 % intervals over {test.groups} groups."
        ),
        (
            f"- Split {manifest.splits_hash[:12]}, data {manifest.data_hash[:12]}, unprompt "
            f"{manifest.versions['unprompt']}, Optuna {manifest.versions['optuna']}."
        ),
        *(f"- Note: {line}." for line in coverage_notes(test)),
        *_reading(test),
        "",
        "| member | weight | test |" + (" answered | test, where answered |" * test.abstains),
        "|---|---|---|" + ("---|---|" * test.abstains),
        *rows,
        "",
        f"Repeat with `unprompt run {files.EXPERIMENT}`, the file in the run's folder.",
    ]
    return "\n".join(lines)


def _answered(test: SplitScores, name: str) -> str:
    """Two more cells where somebody abstains: how many images, and the score there."""
    if not test.abstains:
        return ""
    part = test.members[name].answered
    if part is None:
        return f" {test.images} (100.0%) | |"
    there = _with_interval(part.score) if part.score else ""
    return f" {part.images} ({fixed(part.share, 1, percent=True)}) | {there} |"


def _reading(test: SplitScores) -> list[str]:
    """A line for each member that read prompts from files and took no part."""
    return [
        f"- Read from files by {name}, in no other number: {part.images} of {test.images} test "
        f"images{f', mean cosine {_with_interval(part.score)}' if part.score else ''}."
        for name, part in test.reading.items()
    ]


def _with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    if estimate.ci95 is None:
        return f"{fixed(estimate.score, signed=signed)} (no interval)"
    low, high = (interval_end(end, signed=signed) for end in estimate.ci95)
    return f"{fixed(estimate.score, signed=signed)} [{low}, {high}]"


def search_note(filled: FilledStudy, sizes: Mapping[str, int]) -> str:
    """What the study is, on what data, and what came of a search alone; Markdown."""
    counted = ", ".join(f"{size} {name}" for name, size in sizes.items())
    lines = [
        *_beginning(filled.result.summary.study, counted, filled.result.summary),
        *_options(filled.options),
        "",
        "| member | weight |",
        "|---|---|",
        *(f"| {name} | {weight(value)} |" for name, value in filled.weights.items()),
        "",
        "Nothing was scored on test: `unprompt run` does, with the same YAML file and storage.",
    ]
    return "\n".join(lines)


def _beginning(name: str, counted: str, search: SearchSummary) -> list[str]:
    """The lines that every note begins with."""
    return [
        f"# {name}",
        "",
        (
            "Each trial is a choice of blend weights; its value is the mean cosine of the blend "
            "with the true prompts on the holdout. Members are scaled to unit length first."
        ),
        "",
        f"- Images: {counted}.",
        (
            f"- Best trial: {search.best_trial} with {search.best_value:.6f}; "
            f"polished: {search.polish.score:.6f}."
        ),
    ]


def _options(options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each member whose options were searched."""
    return [
        f"- Options of {name}: {', '.join(f'{key} {value}' for key, value in chosen.items())}."
        for name, chosen in options.items()
    ]
