"""The contracts between core and plugins: what plugins implement, and what they are given.

A predictor is used in this order: it is built from validated options and a `Runtime` without heavy
work -> `Predictor.prepare` at most once, its result kept as an artifact folder ->
`Predictor.load` -> `Predictor.predict`, a stream of batches, for each split -> `Predictor.close`.
"""

from __future__ import annotations

from unprompt.contracts.data import (
    Dataset,
    Images,
    ImageSource,
    Metrics,
    Record,
    TrainSet,
    unheard,
)
from unprompt.contracts.observer import Observer, RunView
from unprompt.contracts.predictor import Batch, Evidence, Predictor
from unprompt.contracts.reader import PromptReader, Reading
from unprompt.contracts.runtime import Need, Progress, Runtime, TextEncoder, silent

__all__ = [
    "Batch",
    "Dataset",
    "Evidence",
    "ImageSource",
    "Images",
    "Metrics",
    "Need",
    "Observer",
    "Predictor",
    "Progress",
    "PromptReader",
    "Reading",
    "Record",
    "RunView",
    "Runtime",
    "TextEncoder",
    "TrainSet",
    "silent",
    "unheard",
]
