"""Mistakes in whole YAML files with plugins: all of them are reported, each with its position."""

from __future__ import annotations

from pathlib import Path

import pytest

from unprompt import ConfigError
from unprompt._registry.loading import load_ensemble, load_experiment
from unprompt._registry.plugins import Registry


def _lines(name: str, text: str, *overrides: str) -> list[str]:
    Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_ensemble(Path(name), Registry(), overrides)
    return list(caught.value.problems)


@pytest.mark.usefixtures("echo_folder")
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


@pytest.mark.usefixtures("echo_folder")
def test_shipped_plugins_are_checked_the_same_way() -> None:
    text = "members:\n- plugin: knn-vit-h\n  options: {neighbors: 3}\n- {plugin: clip-l41}\n"
    assert _lines("e.yaml", text) == [
        "e.yaml:3:13: members.0.options.neighbors: unknown key; did you mean 'neighbours'?",
        "e.yaml:4:4: members.1.plugin: unknown plugin 'clip-l41'; did you mean 'clip-l14'?",
    ]


@pytest.mark.usefixtures("echo_folder")
def test_mistakes_in_options_of_third_party_plugins_are_located() -> None:
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


@pytest.mark.usefixtures("echo_folder")
def test_a_mistake_in_an_override_names_the_override() -> None:
    lines = _lines("e.yaml", "members: [{plugin: echo}]", "members.echo.options.depth=0")
    assert lines == [
        "--set members.echo.options.depth=0: members.0.options.depth: should be at least 1, got 0"
    ]


@pytest.mark.usefixtures("echo_folder")
def test_a_plugin_of_another_kind_is_refused_where_it_is_named() -> None:
    assert _lines("e.yaml", "members: [{plugin: kaggle}]") == [
        (
            "e.yaml:1:12: members.0.plugin: plugin 'kaggle' "
            f"(from {Registry().claim('kaggle').owner}) offers no predictor"
        )
    ]


def test_a_missing_file_is_one_line_without_missing_keys(echo_folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(echo_folder / "gone.yaml", Registry(), ["name=x"])
    assert caught.value.problems == ("gone.yaml: cannot be read: no such file or directory",)


@pytest.mark.usefixtures("echo_folder")
def test_broken_syntax_is_one_line_without_missing_keys() -> None:
    (line,) = _lines("e.yaml", "members: [{plugin: echo}\n")
    assert line.startswith("e.yaml:2:1: not YAML: ")


@pytest.mark.usefixtures("echo_folder")
def test_an_empty_file_has_missing_keys() -> None:
    assert _lines("e.yaml", "") == ["e.yaml:1:1: members: is missing"]


@pytest.mark.usefixtures("echo_folder")
def test_an_observer_that_is_no_plugin_is_named() -> None:
    text = "name: x\ndata: {plugin: kaggle, options: {folder: .}}\nobservers: [echo, eco]\n"
    Path("x.yaml").write_text(text + "ensemble: {members: [{plugin: echo}]}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_experiment(Path("x.yaml"), Registry())
    assert caught.value.problems == (
        (
            "x.yaml:3:13: observers.0: plugin 'echo' (from unprompt-echo 1.0) offers no "
            "observer, and no lifecycle hook"
        ),
        "x.yaml:3:19: observers.1: unknown plugin 'eco'; did you mean 'echo'?",
    )
