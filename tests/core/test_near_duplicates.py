"""Rows with a high cosine: their groups, and the nearest of other rows, in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt import unit
from unprompt._data import near_duplicates
from unprompt._data.near_duplicates import joined_groups, near_duplicate_groups, nearest_cosines
from unprompt.types import FloatArray


def components(rows: FloatArray, cosine: float) -> list[int]:
    """Connected components by following the links, numbered by first occurrence."""
    linked = rows @ rows.T >= cosine
    labels = [-1] * len(rows)
    for start in range(len(rows)):
        if labels[start] < 0:
            number, todo = max(labels) + 1, [start]
            while todo:
                row = todo.pop()
                if labels[row] < 0:
                    labels[row] = number
                    todo += np.flatnonzero(linked[row]).tolist()
    return labels


@given(
    st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([0.3, 0.7, 0.9]), st.integers(1, 9)
)
def test_groups_are_connected_components(seed: int, count: int, cosine: float, tile: int) -> None:
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(count, 3)))[rng.integers(0, count, count)]  # some repeat
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_TILE", tile)
        assert near_duplicate_groups(rows, cosine).tolist() == components(rows, cosine)


def test_groups_link_through_others_and_across_tiles() -> None:
    angles = np.arange(3000) * 0.002  # each near the next only
    rows = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert set(near_duplicate_groups(rows, float(np.cos(0.0021))).tolist()) == {0}
    assert len(set(near_duplicate_groups(rows[::2], float(np.cos(0.0021))).tolist())) == 1500
    far = unit(np.repeat(np.eye(2), 1500, axis=0))
    assert near_duplicate_groups(far, 0.7).tolist() == [0] * 1500 + [1] * 1500
    assert near_duplicate_groups(np.zeros((0, 4), np.float32), 0.7).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)), min_size=1))
def test_joined_groups_share_a_label_in_any_list(labels: list[tuple[int, int, int]]) -> None:
    linked = np.array(
        [[any(a == b for a, b in zip(one, two, strict=True)) for two in labels] for one in labels],
        np.float32,
    )
    count = len(labels)
    reached = linked.copy()
    for _ in range(count):
        reached = np.minimum(reached @ linked, 1)
    expected = [int(np.flatnonzero(row)[0]) for row in reached]
    joined = joined_groups(*zip(*labels, strict=True)).tolist()
    assert [joined.index(number) for number in joined] == expected
    assert list(dict.fromkeys(joined)) == list(range(len(set(joined))))


def test_the_nearest_of_other_rows() -> None:
    rng = np.random.default_rng(0)
    rows, others = unit(rng.normal(size=(1500, 5))), unit(rng.normal(size=(1300, 5)))
    expected = (others @ rows.T).max(axis=1)
    np.testing.assert_allclose(nearest_cosines(rows, others), expected, atol=1e-6)


def test_many_equal_or_nearly_equal_rows_take_little_memory() -> None:
    program = """
import resource
import numpy as np
from unprompt import unit
from unprompt._data.near_duplicates import near_duplicate_groups
near_duplicate_groups(np.eye(2, dtype=np.float32), 0.7)  # what scipy's import takes
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng = np.random.default_rng(0)
for noise, count in ((0, 60_000), (0.01, 6_000)):
    rows = unit(np.ones((count, 16)) + noise * rng.normal(size=(count, 16)))
    assert set(near_duplicate_groups(rows, 0.7).tolist()) == {0}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    # All pairs of 60,000 rows are 3.6 billion, those of 6,000 half a GiB as numbers of rows.
    assert int(done.stdout) < 200 * 1024
