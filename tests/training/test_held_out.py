"""Validation images: whole groups, about the share that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt.errors import DataError
from unprompt.train.held_out import validation_images

from .conftest import MakeTrain


def test_near_duplicates_stay_together(make_train: MakeTrain) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 64))  # nearly at right angles
    group = np.arange(100) % 20
    rows = centres[group] + 0.3 * rng.normal(size=(100, 64))
    train = make_train([f"prompt {i}" for i in range(100)], rows=rows)
    for seed in range(3):
        held = validation_images(train, 0.2, seed)
        shares = [held[group == number].mean() for number in range(20)]
        assert set(shares) == {0.0, 1.0}
        assert held.sum() == 20
    assert not np.array_equal(validation_images(train, 0.2, 0), validation_images(train, 0.2, 1))


def test_equal_prompts_and_given_groups_stay_together(make_train: MakeTrain) -> None:
    rows = np.eye(8)
    prompts = ["a", "b", "c", "d", "a", "b", "c", "d"]
    held = validation_images(make_train(prompts, rows=rows), 0.25, 0)
    assert held.sum() == 2
    assert np.array_equal(held[:4], held[4:])
    groups = ["x", "y"] * 4
    held = validation_images(make_train([*"abcdefgh"], rows=rows, groups=groups), 0.1, 0)
    assert held.tolist() in ([True, False] * 4, [False, True] * 4)


def test_groups_larger_than_the_share_give_the_smallest(make_train: MakeTrain) -> None:
    groups = ["large"] * 7 + ["small"] * 3
    held = validation_images(make_train([*"abcdefghij"], rows=np.eye(10), groups=groups), 0.1, 0)
    assert held.tolist() == [False] * 7 + [True] * 3


def test_no_share_holds_nothing_back(make_train: MakeTrain) -> None:
    assert not validation_images(make_train(["a", "a"]), 0, 0).any()


def test_one_group_is_an_error(make_train: MakeTrain) -> None:
    with pytest.raises(DataError, match="the 2 train images are of one group"):
        validation_images(make_train(["a", "a"]), 0.5, 0)
