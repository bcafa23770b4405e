"""What people are told about mistakes in a YAML file: all of them at once, each with its place."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from unprompt import ConfigError, Location, Model
from unprompt._config.base import Name
from unprompt._config.check import did_you_mean, finish, validate
from unprompt._config.models import EnsembleConfig, ExperimentConfig
from unprompt._config.source import parse, read
from unprompt._registry.loading import Experiment, load_ensemble, load_experiment
from unprompt._registry.plugins import Registry

ECHO = """
from pydantic import Field

from unprompt import Location, Model, PredictorSpec, hookimpl


class Kernel(Model):
    temperature: float = Field(default=1.0, gt=0)


class Options(Model):
    depth: int = Field(default=3, ge=1)
    words: list[str] = []
    bank: Location | None = None
    kernel: Kernel = Kernel()


@hookimpl
def unprompt_predictor():
    return PredictorSpec("echo", "Says it again", Options, "echo_plugin:Echo")
"""


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


def test_a_pattern_of_a_plugins_own_is_not_called_a_name() -> None:
    (problem,) = _problems("code: x")
    assert r"^\d+$" in problem
    assert "letters" not in problem


def test_long_texts_are_cut() -> None:
    (problem,) = _problems(f"count: {'x' * 500}")
    assert len(problem) < 140


def test_a_missing_key_stands_where_it_should_be() -> None:
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


def test_did_you_mean_is_silent_when_nothing_is_near() -> None:
    assert did_you_mean("wieght", ["weight", "name"]) == "; did you mean 'weight'?"
    assert did_you_mean("zzz", ["weight", "name"]) == ""


def test_what_is_right_becomes_the_model() -> None:
    found = validate(parse("count: 3\ninner: {level: high}\nshare: 1", "f"), Outer)
    assert found == Outer(count=3, share=1.0, inner=Inner(level="high"))


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
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


# Whole files, with plugins.


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_plugin: Callable[..., Path]
) -> Path:
    """The working directory; the plugin ``echo`` is installed."""
    install_plugin("echo", ECHO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _lines(name: str, text: str, *overrides: str) -> list[str]:
    Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_ensemble(Path(name), Registry(), overrides)
    return list(caught.value.problems)


@pytest.mark.usefixtures("here")
def test_five_mistakes_are_exactly_five_lines() -> None:
    text = """\
name: demo
members:
  - plugin: echo
    wieght: 1
    options:
      depth: many
    weight: 0.5
    weight: 0.6
  - plugin: ecko
    weight: 1.0
  - plugin: echo
    name: second
    weight: -0.5
"""
    assert _lines("e.yaml", text) == [
        "e.yaml:4:5: members.0.wieght: unknown key; did you mean 'weight'?",
        "e.yaml:6:7: members.0.options.depth: should be a whole number, got the text 'many'",
        "e.yaml:8:5: members.0.weight: repeated key, first set on line 7",
        "e.yaml:9:5: members.1.plugin: unknown plugin 'ecko'; did you mean 'echo'?",
        "e.yaml:13:5: members.2.weight: should be at least 0, got -0.5",
    ]


@pytest.mark.usefixtures("here")
def test_shipped_plugins_are_checked_the_same_way() -> None:
    text = "members:\n- plugin: knn-vit-h\n  options: {neighbors: 3}\n- {plugin: clip-l41}\n"
    assert _lines("e.yaml", text) == [
        "e.yaml:3:13: members.0.options.neighbors: unknown key; did you mean 'neighbours'?",
        "e.yaml:4:4: members.1.plugin: unknown plugin 'clip-l41'; did you mean 'clip-l14'?",
    ]


@pytest.mark.usefixtures("here")
def test_options_of_third_party_plugins_have_their_place_in_the_file() -> None:
    text = """\
members:
  - plugin: echo
    options:
      words: [a, 1]
      kernel: {temprature: 1, temperature: 0}
      bank: package:no_such_package_here/x
"""
    assert _lines("e.yaml", text) == [
        "e.yaml:4:18: members.0.options.words.1: should be text, got 1",
        "e.yaml:5:16: members.0.options.kernel.temprature: "
        + "unknown key; did you mean 'temperature'?",
        "e.yaml:5:31: members.0.options.kernel.temperature: should be more than 0, got 0",
        "e.yaml:6:7: members.0.options.bank: no installed package 'no_such_package_here'",
    ]


@pytest.mark.usefixtures("here")
def test_a_wrong_override_is_named_by_itself() -> None:
    lines = _lines("e.yaml", "members: [{plugin: echo}]", "members.echo.options.depth=0")
    assert lines == [
        "--set members.echo.options.depth=0: members.0.options.depth: should be at least 1, got 0"
    ]


@pytest.mark.usefixtures("here")
def test_a_plugin_of_another_kind_is_refused_where_it_is_named() -> None:
    assert _lines("e.yaml", "members: [{plugin: kaggle}]") == [
        "e.yaml:1:12: members.0.plugin: plugin 'kaggle' offers no predictor"
    ]


def test_a_missing_file_is_one_line_and_says_nothing_of_keys(here: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(here / "gone.yaml", Registry(), ["name=x"])
    assert caught.value.problems == ("gone.yaml: cannot be read: no such file or directory",)


@pytest.mark.usefixtures("here")
def test_broken_syntax_is_one_line_and_says_nothing_of_keys() -> None:
    (line,) = _lines("e.yaml", "members: [{plugin: echo}\n")
    assert line.startswith("e.yaml:2:1: not YAML: ")


@pytest.mark.usefixtures("here")
def test_an_empty_file_lacks_its_keys() -> None:
    assert _lines("e.yaml", "") == ["e.yaml:1:1: members: is missing"]


@pytest.mark.usefixtures("here")
def test_an_observer_that_is_no_plugin_is_named() -> None:
    text = "name: x\ndata: {plugin: kaggle, options: {folder: .}}\nobservers: [echo, eco]\n"
    Path("x.yaml").write_text(text + "ensemble: {members: [{plugin: echo}]}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_experiment(Path("x.yaml"), Registry())
    assert caught.value.problems == (
        "x.yaml:3:19: observers.1: unknown plugin 'eco'; did you mean 'echo'?",
    )


def test_a_right_ensemble_spells_out_every_default(here: Path) -> None:
    (here / "e.yaml").write_text("members: [{plugin: echo, options: {bank: b}}]")
    found = load_ensemble(here / "e.yaml", Registry())
    assert found.plain() == {
        "name": "ensemble",
        "text_encoder": found.text_encoder.plain(),
        "members": [
            {
                "name": "echo",
                "plugin": "echo",
                "options": {
                    "depth": 3,
                    "words": [],
                    "bank": str(here / "b"),
                    "kernel": {"temperature": 1.0},
                },
                "weight": 1.0,
            }
        ],
    }
    assert found.text_encoder.plugin == "minilm"


def test_relative_paths_in_an_included_ensemble_start_at_the_ensemble(here: Path) -> None:
    (here / "ensembles").mkdir()
    (here / "ensembles/e.yaml").write_text("members: [{plugin: echo, options: {bank: b}}]")
    (here / "top.yaml").write_text("include: ensembles/e.yaml")
    (member,) = load_ensemble(here / "top.yaml", Registry()).members
    assert member.part.options.model_dump()["bank"] == str(here / "ensembles/b")


def test_every_path_starts_at_the_file_that_says_it(here: Path) -> None:
    for folder in ("ensembles", "parts", "experiments"):
        (here / folder).mkdir()
    (here / "parts/p.yaml").write_text("depth: 5\nbank: b\n")
    member = "{plugin: echo, artifact: a, options: {include: ../parts/p.yaml}}"
    (here / "ensembles/e.yaml").write_text(f"members: [{member}]")
    data = "data: {plugin: kaggle, options: {folder: k}}"
    top = f"name: x\n{data}\nensemble: {{include: ../ensembles/e.yaml}}\n"
    (here / "experiments/x.yaml").write_text(top)
    path = here / "experiments/x.yaml"
    found = load_experiment(path, Registry())
    (echo,) = found.ensemble.members
    assert echo.artifact
    assert echo.artifact.resolve() == here / "ensembles/a"
    assert _bank(found).resolve() == here / "parts/b"
    assert found.dataset.options.model_dump()["folder"] == str(here / "experiments/k")
    beaten = load_experiment(path, Registry(), ["ensemble.members.echo.options.bank=c"])
    assert _bank(beaten).resolve() == here / "parts/c"  # as the text that it overrides
    typed = load_experiment(path, Registry(), ["ensemble.members.echo.options.bank=./c"])
    assert _bank(typed) == here / "c"


def _bank(experiment: Experiment) -> Path:
    return Path(experiment.ensemble.members[0].part.options.model_dump()["bank"])


# Locations on their own.


class Where(Model):
    at: Location


def _at(folder: Path, value: str) -> Location:
    (folder / "w.yaml").write_text(f"at: {value}", encoding="utf-8")
    source = read(folder / "w.yaml")
    found = validate(source, Where)
    finish(source)
    assert found
    return found.at


def test_a_location_is_relative_to_its_yaml(tmp_path: Path) -> None:
    assert _at(tmp_path, "a/b").path == tmp_path / "a/b"
    assert _at(tmp_path, str(tmp_path / "x")).path == tmp_path / "x"
    assert _at(tmp_path, "~/x").path == Path.home() / "x"


def test_a_location_in_a_package_stays_as_it_was_written(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("unprompt")
    assert spec and spec.origin
    found = _at(tmp_path, "package:unprompt/py.typed")
    assert found.path == Path(spec.origin).parent / "py.typed"
    assert found.text == "package:unprompt/py.typed"
    assert Where(at=found).model_dump(mode="json") == {"at": "package:unprompt/py.typed"}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("package:nope_nope/x", "no installed package 'nope_nope'"),
        ("package:../x", "no installed package '..'"),
        ("'package:'", "no installed package ''"),
        ("7", "should be a path"),
        ("''", "should be a path"),
        ("~nobody-of-this-name/x", "no home folder for '~nobody-of-this-name/x'"),
    ],
)
def test_a_location_that_is_none_is_one_line(tmp_path: Path, value: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _at(tmp_path, value)
    (line,) = caught.value.problems
    assert line.endswith(f"w.yaml:1:1: at: {what}")
