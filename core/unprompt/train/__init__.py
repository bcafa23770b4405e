"""Fitting models: the loop, its checkpoints, the order of samples, losses and metrics.

Public: families whose `Predictor.prepare` trains use it, and so do the recipes of the packaged
towers. Importing it loads no library that computes.
"""

from unprompt.train.adapters import Adapted, Adapter
from unprompt.train.broken import Broken, BrokenSamples
from unprompt.train.criterion import ROWS, Criterion
from unprompt.train.feature_samples import FEATURES, FeatureSamples
from unprompt.train.fitting import check_fit, fit
from unprompt.train.frozen import features
from unprompt.train.heads import (
    FoldedHead,
    Head,
    LinearHead,
    MlpHead,
    build_head,
    fill_linear,
    folded,
)
from unprompt.train.held_out import validation_images
from unprompt.train.job import Fitted, Job
from unprompt.train.loss_options import Cosine, Distillation, Loss, teacher_identity, teacher_needs
from unprompt.train.metrics import CARD, FOLDER, METRICS
from unprompt.train.options import CHOOSE, FREE, FitOptions
from unprompt.train.pixels import Inputs, Pixels
from unprompt.train.probe import Probe, fit_probe
from unprompt.train.samples import Samples, SampleSet
from unprompt.train.task import Task

__all__ = [
    "CARD",
    "CHOOSE",
    "FEATURES",
    "FOLDER",
    "FREE",
    "METRICS",
    "ROWS",
    "Adapted",
    "Adapter",
    "Broken",
    "BrokenSamples",
    "Cosine",
    "Criterion",
    "Distillation",
    "FeatureSamples",
    "FitOptions",
    "Fitted",
    "FoldedHead",
    "Head",
    "Inputs",
    "Job",
    "LinearHead",
    "Loss",
    "MlpHead",
    "Pixels",
    "Probe",
    "SampleSet",
    "Samples",
    "Task",
    "build_head",
    "check_fit",
    "features",
    "fill_linear",
    "fit",
    "fit_probe",
    "folded",
    "teacher_identity",
    "teacher_needs",
    "validation_images",
]
