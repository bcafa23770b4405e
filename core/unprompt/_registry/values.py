"""Texts, numbers and rows that plugins return, as the contracts say them, or an error.

Numbers and texts of NumPy become Python's, lists become tuples, and rows are copied, because a
plugin may fill the same array for each batch. Errors are without plugin and call, which
`unprompt._registry.boundary` puts in front.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from unprompt._registry.wording import what_is
from unprompt.contracts import Batch, Evidence, Images, Reading
from unprompt.embeddings import NORM_TOLERANCE, Embeddings
from unprompt.errors import DataError, PluginError, named
from unprompt.types import FloatArray


def refusal(value: object, expected: str, where: str = "") -> PluginError:
    """The error that says what was given, and what the contract asks for."""
    return PluginError(f"gave {what_is(value)}{where}, not {expected}")


def as_text(value: Any, what: str) -> str:
    """A text that files can hold."""
    if not isinstance(value, str):
        raise refusal(value, "text", f" as {what}")
    text = value if type(value) is str else str(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise PluginError(f"gave {what} with half of a surrogate pair: {text!a:.80}") from None
    return text


def as_items(value: Any, what: str) -> tuple[Any, ...]:
    """A list of any kind that is no text and no map."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refusal(value, "a list", f" as {what}")
    return tuple(value)


def as_whole(value: Any, what: str, least: int) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise refusal(value, f"a whole number of at least {least}", f" as {what}")
    return int(value)


def as_weight(value: Any) -> float:
    """A sample weight: finite, at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise refusal(value, "a number", " as weight")
    if not 0 <= value < math.inf:
        raise PluginError(f"gave the weight {float(value)}, which is not finite and at least 0")
    return value if type(value) is float else float(value)


def as_metrics(step: Any, values: Any) -> tuple[int, dict[str, float]]:
    """What a training measured: the number of a step, and numbers by name, NaN among them."""
    if not isinstance(values, Mapping):
        raise refusal(values, "a map", " as metrics")
    measured = {}
    for name, value in values.items():
        try:
            measured[as_text(name, "a metric's name")] = float(value)
        except (TypeError, ValueError, OverflowError):
            raise refusal(value, "a number", f" as metric {name!r:.80}") from None
    return as_whole(step, "a step", 0), measured


def as_embeddings(value: Any, what: str = "embeddings") -> Embeddings:
    """Embeddings with texts as ids and rows of their own."""
    if not isinstance(value, Embeddings):
        raise refusal(value, "Embeddings", "" if what == "embeddings" else f" as {what}")
    if not isinstance(value.rows, np.ndarray):
        raise refusal(value.rows, "an array of NumPy", " as rows")
    ids = tuple(as_text(name, "an image id") for name in as_items(value.ids, "ids"))
    try:
        return Embeddings(ids, np.array(value.rows, order="C", subok=False))
    except DataError as error:  # an array can be changed after it was checked
        raise PluginError(error.problems) from error


def as_batch(value: Any, *_: Any) -> Batch:
    """A batch with plain texts and finite numbers, and rows of its own."""
    if not isinstance(value, Batch):
        raise refusal(value, "a Batch")
    embeddings = as_embeddings(value.embeddings)
    prompts, evidence = as_items(value.prompts, "prompts"), as_items(value.evidence, "evidence")
    return Batch(
        embeddings,
        tuple(None if text is None else as_text(text, "a prompt") for text in prompts),
        tuple(tuple(map(as_evidence, as_items(pieces, "evidence"))) for pieces in evidence),
        None if value.features is None else as_embeddings(value.features, "features"),
    )


def as_evidence(value: Any) -> Evidence:
    """A piece of evidence whose score is finite."""
    if not isinstance(value, Evidence):
        raise refusal(value, "Evidence")
    text = as_text(value.text, "a text of evidence")
    kind = as_text(value.kind, "a kind of evidence")
    score = value.score
    if isinstance(score, bool) or not isinstance(score, int | float | np.number):
        raise refusal(score, "a number", " as a score of evidence")
    if not math.isfinite(score):
        raise PluginError(f"gave the score {float(score)} of evidence, which is not finite")
    if text is value.text and kind is value.kind and type(score) is float:
        return value
    return Evidence(text, float(score), kind)


def as_variants(value: Any, images: Images, variants: Sequence[Any]) -> list[Embeddings]:
    """Predictions of one batch of images, one for each variant."""
    batches = [as_embeddings(part) for part in as_items(value, "predictions of variants")]
    if len(batches) != len(variants):
        raise PluginError(f"gave {len(batches)} predictions for {len(variants)} variants")
    if any(batch.ids != batches[0].ids for batch in batches):
        raise PluginError("gave predictions of different images, or in another order, by variant")
    return batches


def as_reading(value: Any, *_: Any) -> Reading:
    """What was read of one image."""
    if not isinstance(value, Reading):
        raise refusal(value, "a Reading")
    return replace(
        value,
        image_id=as_text(value.image_id, "an image id"),
        prompt=None if value.prompt is None else as_text(value.prompt, "a prompt"),
        source=as_text(value.source, "a source"),
        remark=None if value.remark is None else as_text(value.remark, "a remark"),
    )


def as_rows(value: Any, texts: Sequence[str]) -> FloatArray:
    """Unit rows, one for each text, float32, of any width."""
    if not isinstance(value, np.ndarray):
        raise refusal(value, "an array of NumPy")
    if value.dtype != np.float32:
        raise PluginError(f"gave rows of {value.dtype}, not of float32")
    if value.ndim != 2 or len(value) != len(texts):
        raise PluginError(f"gave rows of shape {value.shape} for {len(texts)} texts")
    rows: FloatArray = np.array(value, order="C", subok=False)
    wild = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wild):
        raise PluginError(f"gave rows that are not finite: {named([texts[wild[0]]])}")
    length = np.linalg.norm(rows.astype(np.float64), axis=1)
    wrong = np.flatnonzero(np.abs(length - 1) > NORM_TOLERANCE)
    if len(wrong):
        raise PluginError(f"gave rows that are not unit length: {named([texts[wrong[0]]])}")
    return rows
