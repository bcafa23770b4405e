"""What a trial's parameters mean, and what they are worth."""

from __future__ import annotations

import pytest

from unprompt._search.problem import Point, Problem, Variants

from .conftest import MEMBERS, make_objective, make_problem


def test_simplex_weights_add_up_to_one() -> None:
    problem = make_problem(weights="simplex")
    point = problem.point(problem.params((0.5, 0.25, 0.25)))
    assert point.weights == pytest.approx((0.5, 0.25, 0.25))
    drawn = problem.point(
        {f"weight.{name}": v for name, v in zip(MEMBERS, (0.9, 0.2, 0.5), strict=True)}
    )
    assert sum(drawn.weights) == pytest.approx(1)
    assert drawn.weights[1] > drawn.weights[2] > drawn.weights[0] > 0
    assert problem.score(problem.point({f"weight.{name}": 1.0 for name in MEMBERS})) == -1


def test_variants_are_numbered_as_their_options_are_listed() -> None:
    variants = Variants({"neighbours": [10, 20], "kernel.name": ["power", "softmax", "ridge"]})
    problem = Problem(make_objective(), ("knn",), (variants,), make_problem().config)
    assert len(variants) == 6
    for number, options in enumerate(variants.options()):
        params = {"weight.knn": 1.0} | {f"knn.{key}": value for key, value in options.items()}
        assert problem.point(params) == Point((1.0,), (number,))
        assert problem.columns(problem.point(params)) == [number]


def test_all_zero_weights_are_never_the_best() -> None:
    problem = make_problem()
    assert problem.score(Point((0.0, 0.0, 0.0), (0, 0, 0))) == -1
