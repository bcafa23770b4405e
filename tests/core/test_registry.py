"""Plugins: found by name, loaded when named, and never in each other's way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt import DatasetSpec, PluginError, PredictorSpec, Runtime, RunView
from unprompt._registry.check import check_plugins
from unprompt._registry.claims import Claim
from unprompt._registry.plugins import Registry
from unprompt.types import Json

InstallPlugin = Callable[..., Path]

ECHO = """
from unprompt import Model, Predictor, PredictorSpec, hookimpl


class Options(Model):
    depth: int = 3


class Echo(Predictor):
    def __init__(self, options, runtime):
        self.arguments = (options.depth, runtime.device)
    def prepare(self, train, artifact): ...
    def load(self, artifact): ...
    def predict(self, images): ...


@hookimpl
def unprompt_predictor():
    return PredictorSpec("echo", "Says it again", Options, "echo_plugin:Echo")
"""

OBSERVER = """
from unprompt import hookimpl

CALLS = []


@hookimpl
def unprompt_run_finished(run, scores):
    CALLS.append((run.name, scores))
    scores["order"].append({name!r})
    with open(run.folder / "order", "a") as file:
        file.write({name!r} + " ")
"""


def _error(name: str, registry: Registry | None = None) -> str:
    with pytest.raises(PluginError) as caught:
        (registry or Registry()).spec(name, PredictorSpec)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_a_third_party_plugin_is_listed_without_being_imported(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("echo", "raise RuntimeError('imported')", version="2.1")
    claim = Claim("echo", "echo_plugin", "unprompt-echo", "2.1")
    assert claim in Registry().claims
    assert claim.owner == "unprompt-echo 2.1"
    assert "echo_plugin" not in sys.modules


def test_a_third_party_plugin_is_used_like_any_other(install_plugin: InstallPlugin) -> None:
    install_plugin("echo", ECHO)
    registry = Registry()
    spec = registry.spec("echo", PredictorSpec)
    assert (spec.name, spec.summary) == ("echo", "Says it again")
    built = registry.build(spec, spec.options(), Runtime(device="cuda:1"))
    assert built.arguments == (3, "cuda:1")


def test_claims_are_sorted_and_hold_the_shipped_plugins() -> None:
    names = [claim.name for claim in Registry().claims]
    assert names == sorted(names)
    assert {"clip-l14", "kaggle", "knn-vit-h", "minilm", "painter", "pairs"} <= set(names)


def test_a_plugin_that_fails_to_import_is_named_and_others_still_work(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("broken", "import nothing_of_this_name", version="0.3")
    install_plugin("echo", ECHO)
    registry = Registry()
    line = _error("broken", registry)
    assert line == (
        "plugin 'broken' (from unprompt-broken 0.3) failed to load: "
        "ModuleNotFoundError: No module named 'nothing_of_this_name'"
    )
    assert registry.spec("echo", PredictorSpec).name == "echo"
    assert _error("broken", registry) == line


def test_the_cause_of_a_failure_is_kept(install_plugin: InstallPlugin) -> None:
    install_plugin("broken", "1 / 0")
    with pytest.raises(PluginError) as caught:
        Registry().spec("broken", PredictorSpec)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_name_that_two_distributions_claim_names_both(install_plugin: InstallPlugin) -> None:
    install_plugin("echo", ECHO, distribution="first", version="1.0")
    install_plugin("echo", ECHO, distribution="second", version="2.0")
    assert _error("echo") == (
        "plugin name 'echo' is claimed by first 1.0 and second 2.0: "
        "write 'first:echo' or 'second:echo'"
    )


def test_an_older_copy_of_one_distribution_further_down_the_path_is_no_second_claim(
    install_plugin: InstallPlugin,
) -> None:
    install_plugin("echo", ECHO, version="1.0")
    install_plugin("echo", ECHO, version="2.0")  # comes first on the path
    assert Registry().claim("echo").version == "2.0"


def test_an_unknown_name_gets_a_suggestion() -> None:
    assert _error("knn-vit-hh") == "unknown plugin 'knn-vit-hh'; did you mean 'knn-vit-h'?"
    assert _error("zzzzzz") == "unknown plugin 'zzzzzz'; see `unprompt plugins`"


def test_a_plugin_without_a_predictor_is_refused_as_a_member() -> None:
    assert (
        _error("kaggle")
        == f"plugin 'kaggle' (from {Registry().claim('kaggle').owner}) offers no predictor"
    )


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("def unprompt_run_started(run, colour): ...", "colour"),
        ("def unprompt_predictr(): ...", "did you mean 'unprompt_predictor'?"),
    ],
    ids=["wrong signature", "misspelt"],
)
def test_a_hook_that_does_not_fit_is_named_and_others_still_work(
    install_plugin: InstallPlugin, hook: str, expected: str
) -> None:
    install_plugin("odd", f"from unprompt import hookimpl\n\n\n@hookimpl\n{hook}\n")
    install_plugin("echo", ECHO)
    registry = Registry()
    line = _error("odd", registry)
    assert line.startswith("plugin 'odd' (from unprompt-odd 1.0): ")
    assert expected in line
    assert registry.spec("echo", PredictorSpec).name == "echo"
    assert _error("odd", registry) == line


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("'echo'", "unprompt_predictor gave the text 'echo', not a PredictorSpec"),
        (
            "DatasetSpec('odd', 's', Model, 'm:C')",
            "unprompt_predictor gave a DatasetSpec, not",
        ),
        (
            "PredictorSpec('other', 's', Model, 'm:C')",
            "gave a spec named 'other', but its entry point is named 'odd'",
        ),
        ("1 / 0", "unprompt_predictor raised ZeroDivisionError: division by zero"),
    ],
    ids=["no spec", "another kind", "another name", "raises"],
)
def test_a_wrong_result_is_named_by_plugin_and_hook(
    install_plugin: InstallPlugin, result: str, expected: str
) -> None:
    names = "DatasetSpec, Model, PredictorSpec, hookimpl"
    hook = f"@hookimpl\ndef unprompt_predictor():\n    return {result}\n"
    install_plugin("odd", f"from unprompt import {names}\n\n\n{hook}")
    line = _error("odd")
    assert line.startswith("plugin 'odd' (from unprompt-odd 1.0): ")
    assert expected in line


def test_a_hook_that_returns_none_offers_nothing(install_plugin: InstallPlugin) -> None:
    source = "from unprompt import hookimpl\n\n\n@hookimpl\ndef unprompt_predictor(): ...\n"
    install_plugin("shy", source)
    assert _error("shy") == "plugin 'shy' (from unprompt-shy 1.0) offers no predictor"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("echo_plugin:Ecko", "AttributeError"),
        ("no_such_module_here:Echo", "ModuleNotFoundError"),
        ("echo_plugin", "AttributeError"),
    ],
)
def test_a_missing_target_names_the_package_to_install(
    install_plugin: InstallPlugin, target: str, expected: str
) -> None:
    wrong = ECHO.replace('"echo_plugin:Echo")', f'"{target}", extra="unprompt-echo[gpu]")')
    install_plugin("echo", wrong)
    registry = Registry()
    spec = registry.spec("echo", PredictorSpec)
    with pytest.raises(PluginError) as caught:
        registry.build(spec, spec.options(), Runtime())
    line = str(caught.value)
    assert line.startswith(f"plugin 'echo' (from unprompt-echo 1.0): {target} failed to load: ")
    assert expected in line
    assert line.endswith("; pip install 'unprompt-echo[gpu]'")


def test_listing_plugins_imports_no_heavy_module() -> None:
    heavy = ("torch", "optuna", "open_clip", "transformers", "faiss", "timm", "scipy", "PIL")
    code = (
        "import sys\nfrom unprompt._registry.plugins import Registry\nassert Registry().claims\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_specs_of_shipped_plugins_import_no_heavy_module() -> None:
    heavy = ("torch", "optuna", "open_clip", "transformers", "faiss", "timm")
    code = (
        "import sys\nfrom unprompt import DatasetSpec, PredictorSpec, TextEncoderSpec\n"
        "from unprompt._registry.plugins import Registry\nr = Registry()\n"
        "r.spec('knn-vit-h', PredictorSpec), r.spec('clip-l14', PredictorSpec)\n"
        "r.spec('kaggle', DatasetSpec), r.spec('pairs', DatasetSpec)\n"
        "r.spec('painter', DatasetSpec), r.spec('minilm', TextEncoderSpec)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_check_gives_each_claim_a_row_even_if_others_fail(
    install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("broken", "1 / 0")
    install_plugin("echo", ECHO)
    install_plugin("watcher", OBSERVER.replace("{name!r}", "'watcher'"))
    install_plugin("lost", ECHO.replace('"echo"', '"lost"').replace("echo_plugin:", "gone:"))
    install_plugin("twice", ECHO, distribution="a")
    install_plugin("twice", ECHO, distribution="b")
    registry = Registry()
    third = {"broken", "echo", "watcher", "lost", "twice"}
    # The shipped plugins' heavy targets are not this test's business.
    claims = tuple(claim for claim in registry.claims if claim.name in third)
    monkeypatch.setattr(registry, "claims", claims)
    rows = [
        (row.claim.name, row.offers, row.summary, row.error) for row in check_plugins(registry, 60)
    ]
    assert [row[0] for row in rows] == ["broken", "echo", "lost", "twice", "twice", "watcher"]
    assert rows[1] == ("echo", ("predictor",), "Says it again", None)
    assert rows[5] == ("watcher", ("observer",), "", None)
    errors = [error for _, _, _, error in rows if error]
    assert "ZeroDivisionError" in errors[0]
    assert "gone:Echo failed to load" in errors[1]
    assert len(errors) == 4  # a clash is none, but both are named echo in their specs
    assert "(from a 1.0): unprompt_predictor gave a spec named 'echo'" in errors[2]
    assert "(from b 1.0): unprompt_predictor gave a spec named 'echo'" in errors[3]


def test_lifecycle_hooks_reach_only_the_named_plugins_each_once_in_order(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    for name in ("first", "second", "third"):
        install_plugin(name, OBSERVER.replace("{name!r}", repr(name)))
    install_plugin("echo", ECHO)
    registry = Registry()
    registry.claim("first")
    scores: dict[str, Json] = {"order": []}
    run = RunView("demo", tmp_path)
    names = ["third", "echo", "first", "third"]
    registry.notify(names, "unprompt_run_finished", run=run, scores=scores)
    assert (tmp_path / "order").read_text().split() == ["third", "first"]
    assert scores == {"order": []}, "an observer has a copy"
    assert "second_plugin" not in sys.modules
    assert sys.modules["third_plugin"].CALLS == [("demo", {"order": ["third"]})]


def test_a_lifecycle_hook_that_raises_is_named(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    install_plugin("watcher", OBSERVER.replace("{name!r}", "1 / 0"))
    with pytest.raises(PluginError, match=r"'watcher' .*unprompt_run_finished raised ZeroDiv"):
        Registry().notify(
            ["watcher"],
            "unprompt_run_finished",
            run=RunView("demo", tmp_path),
            scores={"order": []},
        )


def test_the_source_hash_changes_with_the_plugins_source(install_plugin: InstallPlugin) -> None:
    install_plugin("echo", ECHO)
    before = Registry().source_hash("echo")
    assert Registry().source_hash("echo") == before
    install_plugin("echo", ECHO + "\n# another line\n", version="1.1")
    assert Registry().source_hash("echo") != before


def test_an_older_spec_cannot_be_built_by_another_registry(install_plugin: InstallPlugin) -> None:
    spec = DatasetSpec("gone", "s", PredictorSpec, "gone:Gone")  # type: ignore[arg-type]  # unused
    with pytest.raises(PluginError, match="unknown plugin 'gone'"):
        Registry().build(spec)
