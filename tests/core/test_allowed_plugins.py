"""``UNPROMPT_PLUGINS``: no other plugin is imported, or listed as usable."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unprompt import PluginError, PredictorSpec
from unprompt._registry.allowed import VARIABLE
from unprompt._registry.plugins import Registry

InstallPlugin = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

LOUD = "raise RuntimeError('imported')\n"


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Registry]:
    """``allow("a,b")``: a registry that may use these."""

    def registry(text: str) -> Registry:
        monkeypatch.setenv(VARIABLE, text)
        return Registry()

    return registry


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        (" , ", []),
        ("painter", ["painter"]),
        (" painter , minilm,", ["minilm", "painter"]),
        ("Unprompt:pairs", ["pairs"]),
    ],
)
def test_only_what_is_listed_may_be_used(
    allow: Callable[[str], Registry], text: str, names: list[str]
) -> None:
    registry = allow(text)
    assert [claim.name for claim in registry.claims] == names
    assert {claim.name for claim in registry.excluded} >= {"knn-vit-h", "kaggle"}
    assert set(registry.claims).isdisjoint(registry.excluded)


def test_without_the_variable_everything_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    registry = Registry()
    assert registry.excluded == ()
    assert {"knn-vit-h", "kaggle"} <= {claim.name for claim in registry.claims}


def test_what_is_excluded_is_refused_by_the_variables_name(
    allow: Callable[[str], Registry], install_plugin: InstallPlugin
) -> None:
    install_plugin("loud", LOUD)
    registry = allow("minilm")
    with pytest.raises(PluginError) as caught:
        registry.spec("loud", PredictorSpec)
    assert str(caught.value) == (
        "plugin 'loud' is excluded by UNPROMPT_PLUGINS='minilm', which lists the plugins that may "
        "be used"
    )
    assert "loud_plugin" not in sys.modules


def test_an_ensemble_that_names_it_says_where(
    allow: Callable[[str], Registry], unprompt: Command, tmp_path: Path
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("members: [{plugin: unprompt:knn-vit-h}]\n")
    allow("")
    done = unprompt("config", "validate", path)
    assert done.returncode == 2
    why = "is excluded by UNPROMPT_PLUGINS='', which lists the plugins that may be used"
    assert done.stderr.splitlines() == [
        f"{path}:1:1: text_encoder.plugin: plugin 'minilm' {why}",
        f"{path}:1:12: members.0.plugin: plugin 'unprompt:knn-vit-h' {why}",
    ]


def test_one_of_two_claims_may_be_allowed_and_needs_no_distribution_then(
    allow: Callable[[str], Registry], install_plugin: InstallPlugin
) -> None:
    install_plugin("painter", LOUD, distribution="my-dist")
    registry = allow("my-dist:painter")
    assert registry.claim("painter").distribution == "my-dist"
    with pytest.raises(PluginError, match="'unprompt:painter' is excluded by UNPROMPT_PLUGINS"):
        registry.claim("unprompt:painter")


def test_the_listing_marks_the_others_and_check_loads_none_of_them(
    allow: Callable[[str], Registry], install_plugin: InstallPlugin, unprompt: Command
) -> None:
    install_plugin("loud", LOUD)
    allow("painter")
    rows = json.loads(unprompt("plugins", "--json").stdout)
    assert {row["name"] for row in rows if row["usable"]} == {"painter"}
    assert {"loud", "kaggle"} <= {row["name"] for row in rows}
    lines = unprompt("plugins").stdout.splitlines()
    marked = {line.split()[0] for line in lines if line.endswith("excluded by UNPROMPT_PLUGINS")}
    assert marked == {row["name"] for row in rows} - {"painter"}
    done = unprompt("plugins", "--check", "--json")
    assert done.returncode == 0, done.stdout
    assert [row["name"] for row in json.loads(done.stdout)] == ["painter"]


def test_an_entry_that_means_nothing_is_named_once(
    allow: Callable[[str], Registry], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for registry in (allow("painter,never-heard-of"), allow("painter,never-heard-of")):
            assert [claim.name for claim in registry.claims] == ["painter"]
    assert caplog.messages == ["UNPROMPT_PLUGINS: there is no plugin 'never-heard-of'"]
