"""Which score to expect of a single image: learned on the holdout, measured on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unprompt._config.location import on_disk
from unprompt._data.expected import Expected
from unprompt._data.predictions import Fields
from unprompt._members.ensemble import Blended
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.members import MemberPredictions
from unprompt._registry.parts import Ensemble
from unprompt._runs import files
from unprompt._runs.expected import (
    Bin,
    Calibration,
    ExpectedFile,
    LearnedExpectation,
    fingerprint,
    read_expectation,
)
from unprompt._runs.scores import EVALUATED
from unprompt._scoring.domain import Domain, fit_domain
from unprompt._scoring.expected import (
    COVERAGE,
    FEWEST_GROUPS,
    FEWEST_IMAGES,
    ExpectedModel,
    fit_expected,
)
from unprompt._scoring.features import (
    Features,
    agreement_features,
    answer_features,
    evidence_features,
)
from unprompt.contracts import Batch
from unprompt.types import DoubleArray

_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """What a run has learned to expect, and what it expects of each test image, by id."""

    learned: LearnedExpectation
    test: Mapping[str, Expected]


def learn_expectation(
    run: RunContext,
    predictions: Mapping[str, MemberPredictions],
    blended: Mapping[str, Blended],
    evaluations: Mapping[str, Evaluation],
    weights: Sequence[float],
) -> Expectation | None:
    """Learn on the holdout what to expect of single images, and measure on test how well it holds.

    Args:
        run: The experiment, with the options that its search chose.
        predictions: Every member's.
        blended: ``holdout`` and ``test`` -> the blend's predictions.
        evaluations: The true cosines of both.
        weights: Of the blend, in the order of the members.

    Returns:
        None where the holdout has too few images or groups, or all of test is flagged.
    """
    by_name = dict(zip(run.members, weights, strict=True))
    groups, ids = run.groups("holdout"), run.data.splits.ids
    holdout, test = (
        {name: _ordered(member.batches[split], ids[split]) for name, member in predictions.items()}
        for split in EVALUATED
    )
    model = _model(holdout, by_name, blended["holdout"].readback, evaluations["holdout"])
    reading = [member.name for member in run.experiment.members if member.reads]
    domain = fit_domain(holdout, by_name, groups, reading)
    if model is None or domain is None:
        return None
    expected = expect(model, domain, test, by_name, blended["test"].readback)
    measured = _measured(expected, ids["test"], evaluations["test"].ensemble)
    if measured is None:
        return None
    content = ExpectedFile(
        ensemble=fingerprint(
            run.experiment.ensemble,
            {member.name: 0.0 for member in run.experiment.set_aside} | by_name,
        ),
        coverage=COVERAGE,
        edited=run.experiment.config.edit_prompts,
        model=model,
        domain=domain.model,
        test=measured,
    )
    return Expectation(LearnedExpectation(content, domain), expected)


def _model(
    members: Mapping[str, Batch],
    weights: Mapping[str, float],
    readback: Mapping[str, float | None],
    holdout: Evaluation,
) -> ExpectedModel | None:
    """Learned from the images that somebody has an answer for; None with too few of them."""
    features = known_features(members, weights, readback)
    known = np.array([origin != "none" for origin in holdout.origin])
    groups = [holdout.intervals.groups[i] for i in np.flatnonzero(known).tolist()]
    learned_from = {name: values[known] for name, values in features.items()}
    return fit_expected(learned_from, holdout.ensemble[known], groups)


def expect(
    model: ExpectedModel,
    domain: Domain,
    members: Mapping[str, Batch],
    weights: Mapping[str, float],
    readback: Mapping[str, float | None],
) -> dict[str, Expected]:
    """What to expect of each image, by its id.

    Args:
        model: Learned by a run of the same ensemble.
        domain: Learned with it.
        members: Name -> predictions for the same N images, in one order.
        weights: Name -> weight in the blend.
        readback: Image id -> the readback of its prompt.
    """
    ids = next(iter(members.values())).embeddings.ids
    scores = model.expected(known_features(members, weights, readback), len(ids))
    numbers = zip(scores.score.tolist(), scores.low.tolist(), scores.high.tolist(), strict=True)
    outside = domain.outside(members, weights)
    answered = np.any([*answer_features(members, weights).values()], axis=0)
    return {
        name: Expected(*ends, out_of_domain=False)
        if is_answered and not strange
        else Expected.unknown(out_of_domain=strange)
        for name, ends, strange, is_answered in zip(ids, numbers, outside, answered, strict=True)
    }


def fields_of(expected: Mapping[str, Expected | None], ids: Sequence[str]) -> Fields:
    """What files say of N images; all None where nothing is known of what to expect."""
    said = [expected.get(name) for name in ids]
    return {
        "expected_score": [image.score if image else None for image in said],
        "expected_low": [image.low if image else None for image in said],
        "expected_high": [image.high if image else None for image in said],
        "out_of_domain": [image.out_of_domain if image else None for image in said],
    }


def known_features(
    members: Mapping[str, Batch],
    weights: Mapping[str, float],
    readback: Mapping[str, float | None],
) -> Features:
    """All that is known of predictions without the truth, in the order of the first member."""
    ids = next(iter(members.values())).embeddings.ids
    cosines = [readback.get(name) for name in ids]
    return {
        **agreement_features(members, weights),
        **answer_features(members, weights),
        **evidence_features(members, weights, "highest"),
        **evidence_features(members, weights, "mean"),
        "readback": np.array([np.nan if value is None else value for value in cosines]),
    }


def _ordered(batch: Batch, ids: Sequence[str]) -> Batch:
    """The batch with its images in the order of ``ids``."""
    position = {name: i for i, name in enumerate(batch.embeddings.ids)}
    order = [position[name] for name in ids]
    return Batch(
        batch.embeddings.align(ids),
        tuple(batch.prompts[i] for i in order),
        tuple(batch.evidence[i] for i in order),
        batch.features.align(ids) if batch.features is not None else None,
    )


def _measured(
    expected: Mapping[str, Expected], ids: Sequence[str], cosines: DoubleArray
) -> Calibration | None:
    """Expected scores against the true cosines; None where every image is flagged."""
    pairs = [
        (said.score, said.low, said.high, cosine)
        for name, cosine in zip(ids, cosines.tolist(), strict=True)
        if (said := expected[name]).score is not None
    ]
    if not pairs:
        return None
    score, low, high, actual = np.array(pairs, np.float64).T
    order = np.argsort(score, kind="stable")
    tenths = np.array_split(order, min(_BINS, len(order)))
    varied = len(order) > 1 and score.std() > 1e-9 and actual.std() > 1e-9
    return Calibration(
        images=len(pairs),
        flagged=sum(said.out_of_domain for said in expected.values()),
        expected=float(score.mean()),
        actual=float(actual.mean()),
        inside=float(((low <= actual) & (actual <= high)).mean()),
        correlation=float(np.corrcoef(score, actual)[0, 1]) if varied else None,
        bins=tuple(
            Bin(
                images=len(tenth),
                expected=float(score[tenth].mean()),
                actual=float(actual[tenth].mean()),
            )
            for tenth in tenths
        ),
    )


def expectation_for(ensemble: Ensemble, path: Path, *, shown: Path) -> LearnedExpectation | str:
    """What the run beside an ensemble's YAML file has learned to expect of its predictions.

    Args:
        ensemble: As it will predict.
        path: The YAML file that it came from.
        shown: How error lines name the ensemble.

    Returns:
        None of it applies to an ensemble that is not the run's: then one line that says why.

    Raises:
        DataError: The run's file is damaged.
    """
    learned = read_expectation(on_disk(path).parent) if path.name == files.ENSEMBLE else None
    if learned is None:
        return (
            f"{shown}: no {files.EXPECTED} beside it, so there are no expected scores: only runs "
            f"with at least {FEWEST_IMAGES} holdout images in {FEWEST_GROUPS} groups write one"
        )
    weights = {member.name: member.weight for member in ensemble.members}
    if fingerprint(ensemble, weights) != learned.content.ensemble:
        return (
            f"{shown}: no expected scores: {files.EXPECTED} was learned for other members, "
            "weights or options than these"
        )
    return learned
