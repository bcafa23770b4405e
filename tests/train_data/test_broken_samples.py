"""Samples that cannot be opened are named and counted; too many stop the training."""

from __future__ import annotations

import json

import pytest

from unprompt.errors import DataError
from unprompt.train.broken import Broken, BrokenSamples

ONE = Broken("a", "a.png: cannot be read as an image: truncated")


def test_each_is_named_once() -> None:
    broken = BrokenSamples(0.5, 100)
    assert broken.add(10, [ONE]) == [ONE.reason]
    assert broken.add(10, [ONE]) == []
    assert (broken.tried, broken.broken) == (20, 2)


def test_more_than_the_share_stops() -> None:
    broken = BrokenSamples(0.1, 1000)
    broken.add(19, [ONE, Broken("b", "b.png: empty")])
    with pytest.raises(DataError) as caught:
        broken.add(1, [Broken("c", "c.png: empty")])
    first, *others = caught.value.problems
    assert first == (
        "3 of 20 samples cannot be opened, more than the share of 0.1 that may be: 'a', 'b', 'c'"
    )
    assert others == [ONE.reason, "b.png: empty", "c.png: empty"]


def test_exactly_the_share_goes_on() -> None:
    broken = BrokenSamples(0.1, 1000)
    assert broken.add(20, [ONE, Broken("b", "b.png: empty")])


def test_few_samples_are_judged_when_all_were_tried() -> None:
    broken = BrokenSamples(0.1, 4)
    broken.add(3, [ONE])
    with pytest.raises(DataError, match="1 of 4 samples"):
        broken.add(1, [])


def test_a_share_of_nothing_stops_at_the_first() -> None:
    broken = BrokenSamples(0, 30)
    broken.add(20, [])
    with pytest.raises(DataError, match="1 of 30"):
        broken.add(10, [ONE])


def test_a_checkpoint_keeps_the_count() -> None:
    broken = BrokenSamples(0.5, 100)
    broken.add(10, [ONE])
    again = BrokenSamples(0.5, 100)
    again.restore(json.loads(json.dumps(broken.state())))
    assert again.state() == broken.state()
    assert again.add(10, [ONE]) == [], "known already"
    with pytest.raises(DataError, match="does not say how many"):
        again.restore({})


def test_the_summary_says_what_was_left_out() -> None:
    broken = BrokenSamples(0.5, 1200)
    assert broken.summary() == ("All 1,200 samples could be opened as far as they were tried.")
    broken.add(10, [ONE])
    assert broken.summary() == "1 of 1,200 samples cannot be opened and were left out: 'a'."
