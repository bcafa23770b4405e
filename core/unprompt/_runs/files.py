"""Every file name of a run's folder."""

from __future__ import annotations

from pathlib import Path

from unprompt._data import metrics
from unprompt._files import checksums
from unprompt._registry import installs

EXPERIMENT = "experiment.yaml"
"""The resolved configuration: it repeats the run anywhere."""
SCORES = "scores.json"
MANIFEST = installs.MANIFEST
EXPECTED = "expected.json"
"""Which score to expect of a single image; only in runs with enough holdout images."""
DOMAIN = "domain.safetensors"
"""What predictions for images like the run's look like; beside `EXPECTED`."""
ENSEMBLE = "ensemble.yaml"
"""Searched weights and fitted members: an ensemble that can be used as it is."""
ARTIFACTS = "artifacts"
"""A folder per member: what it learned."""
STUDY = "study.journal"
STUDY_FILES = "artifacts-study"
"""The files that a dashboard shows beside the study."""
IMAGES = "images.csv"
"""A row per test image: prompts, cosines, its group."""
EXAMPLES = "examples.json"
"""The best and worst test images with their evidence."""
THUMBNAILS = "images"
"""The examples' images, as small JPEG files."""
CONTACT_SHEET = "contact.png"
REPORT = "report.html"
TRAINING = "training"
"""The folder of an experiment's trainings, beside its runs, whose names begin with a date."""
CHECKSUMS = checksums.CHECKSUMS
"""Size and SHA-256 of every file, written last: a reader says which one changed since.

``ensemble.yaml`` may be edited and is not compared; the study goes on and the report is written
again."""


def predictions(member: str, split: str) -> str:
    """The file of one member's (or the blend's) predictions for a split."""
    return f"predictions/{member}.{split}.parquet"


def training_metrics(member: str) -> str:
    """The file of what a member's training measured; only where it trained."""
    return f"{ARTIFACTS}/{member}/{metrics.FOLDER}/{metrics.METRICS}"


def training_card(member: str) -> str:
    """The card of what a member trained; only where it trained."""
    return f"{ARTIFACTS}/{member}/{metrics.FOLDER}/{metrics.CARD}"


def training_folder(runs: Path, experiment: str, member: str) -> Path:
    """Where a member's training keeps its checkpoints and metrics.

    Args:
        runs: The folder of the runs of all experiments.
        experiment: The experiment's name.
        member: The member's name.
    """
    return runs / experiment / TRAINING / member
