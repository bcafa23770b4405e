"""How each kind of mistake in YAML is reported: its position, its key, and what would be right."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from unprompt import ConfigError, Model
from unprompt._config.base import Name
from unprompt._config.check import did_you_mean, finish, validate
from unprompt._config.models import EnsembleConfig, ExperimentConfig
from unprompt._config.source import parse


class Inner(Model):
    flag: bool = True
    level: Literal["low", "high"] = "low"


class Outer(Model):
    name: Name = "x"
    count: int = Field(default=1, ge=1, lt=10)
    share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    text: str = ""
    code: Annotated[str, Field(pattern=r"^\d+$")] = "1"
    items: list[int] = Field(default=[1, 2], min_length=2)
    parts: tuple[int, ...] = Field(default=(1,), min_length=1, strict=False)
    wide: int = Field(default=1, le=1_048_576)
    table: dict[str, int] = Field(default={})
    inner: Inner = Inner()
    inners: list[Inner] = Field(default=[])
    maybe: Inner | None = None


class Needy(Model):
    needed: int


def _problems(text: str, model: type[Model] = Outer) -> list[str]:
    source = parse(text, "f")
    validate(source, model)
    return [str(problem) for problem in source.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("count: x", "f:1:1: count: should be a whole number, got the text 'x'"),
        ("count: 1.5", "f:1:1: count: should be a whole number, got 1.5"),
        ("count: '1'", "f:1:1: count: should be a whole number, got the text '1'"),
        ("count: true", "f:1:1: count: should be a whole number, got true"),
        ("count: null", "f:1:1: count: should be a whole number, got nothing"),
        ("count: [1]", "f:1:1: count: should be a whole number, got a list"),
        ("count: 0", "f:1:1: count: should be at least 1, got 0"),
        ("count: 10", "f:1:1: count: should be less than 10, got 10"),
        ("share: 0", "f:1:1: share: should be more than 0, got 0"),
        ("share: 1.5", "f:1:1: share: should be at most 1, got 1.5"),
        ("share: on", "f:1:1: share: should be a number, got the text 'on'"),
        ("share: .nan", "f:1:1: share: should be a finite number, got nan"),
        ("text: 7", "f:1:1: text: should be text, got 7"),
        ("items: 7", "f:1:1: items: should be a list, got 7"),
        ("items: [1]", "f:1:1: items: should have at least 2 items"),
        ("items: [1, b]", "f:1:12: items.1: should be a whole number, got the text 'b'"),
        ("parts: []", "f:1:1: parts: should have at least 1 item"),
        ("parts: [b]", "f:1:9: parts.0: should be a whole number, got the text 'b'"),
        ("wide: 9999999", "f:1:1: wide: should be at most 1048576, got 9999999"),
        ("table: [1]", "f:1:1: table: should be a map, got a list"),
        ("inner: 7", "f:1:1: inner: should be a map, got 7"),
        ("inner: {flag: yes}", "f:1:9: inner.flag: should be true or false, got the text 'yes'"),
        (
            "name: a b",
            "f:1:1: name: should be letters, digits, '-' and '_' only, got the text 'a b'",
        ),
        (
            "inner: {level: mid}",
            "f:1:9: inner.level: should be one of 'low' or 'high', got the text 'mid'",
        ),
        ("[1]", "f:1:1: should be a map, got a list"),
        ("just text", "f:1:1: should be a map, got the text 'just text'"),
    ],
)
def test_each_kind_of_mistake_says_what_would_be_right(text: str, problem: str) -> None:
    assert _problems(text) == [problem]


def test_a_plugins_own_pattern_is_not_reported_as_a_name() -> None:
    (problem,) = _problems("code: x")
    assert r"^\d+$" in problem
    assert "letters" not in problem


def test_long_texts_are_cut() -> None:
    (problem,) = _problems(f"count: {'x' * 500}")
    assert len(problem) < 140


def test_a_missing_key_has_the_position_of_its_parent() -> None:
    assert _problems("", Needy) == ["f:1:1: needed: is missing"]
    (problem,) = _problems("members:\n- weight: 1\n", EnsembleConfig)
    assert problem == "f:2:3: members.0.plugin: is missing"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cuont: 1", "f:1:1: cuont: unknown key; did you mean 'count'?"),
        ("inner: {flga: 1}", "f:1:9: inner.flga: unknown key; did you mean 'flag'?"),
        ("inners: [{levle: 1}]", "f:1:11: inners.0.levle: unknown key; did you mean 'level'?"),
        ("maybe: {flga: 1}", "f:1:9: maybe.flga: unknown key; did you mean 'flag'?"),
        ("inner: {zzz: 1}", "f:1:9: inner.zzz: unknown key"),
    ],
)
def test_an_unknown_key_gets_a_suggestion_at_every_depth(text: str, problem: str) -> None:
    assert _problems(text) == [problem]


def test_did_you_mean_is_empty_without_a_similar_name() -> None:
    assert did_you_mean("wieght", ["weight", "name"]) == "; did you mean 'weight'?"
    assert did_you_mean("zzz", ["weight", "name"]) == ""


def test_valid_data_becomes_the_model() -> None:
    model = validate(parse("count: 3\ninner: {level: high}\nshare: 1", "f"), Outer)
    assert model == Outer(count=3, share=1.0, inner=Inner(level="high"))


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    source = parse("text: 1\nzzz: 1\ntext: 2\ninner:\n  flag: 3\ncount: x\n", "f")
    validate(source, Outer)
    with pytest.raises(ConfigError) as caught:
        finish(source)
    assert [line.split(": ")[0] for line in caught.value.problems] == [
        "f:1:1",
        "f:2:1",
        "f:3:1",
        "f:5:3",
        "f:6:1",
    ]


def test_a_value_that_could_not_be_read_is_one_mistake_not_two() -> None:
    source = parse("count: !!python/name:os.system", "f")
    validate(source, Outer)
    with pytest.raises(ConfigError) as caught:
        finish(source)
    (line,) = caught.value.problems
    assert "the tag" in line


def test_a_source_without_mistakes_passes() -> None:
    source = parse("count: 3", "f")
    assert validate(source, Outer) is not None
    finish(source)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "members: [{plugin: a}, {plugin: a}]",
            "f:1:1: two members are named 'a': give one of them another `name`",
        ),
        ("members: [{plugin: a, weight: 0}]", "f:1:1: every weight is 0: nothing is left to blend"),
        ("members: []", "f:1:1: members: should have at least 1 item"),
    ],
)
def test_an_ensemble_needs_members_with_distinct_names_and_some_weight(
    text: str, what: str
) -> None:
    assert _problems(text, EnsembleConfig) == [what]


def test_shares_that_do_not_add_up_say_what_they_add_up_to() -> None:
    text = "name: x\ndata: {plugin: p, split: {train: 0.9}}\nensemble: {members: [{plugin: a}]}"
    (problem,) = _problems(text, ExperimentConfig)
    assert problem == ("f:2:19: data.split: train, holdout and test should add up to 1, got 1.1")
