"""``unprompt plugins show``: what a plugin offers, and an example that can be copied."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from pydantic import Field, SecretStr, field_validator

from unprompt import Location, Model
from unprompt._cli.plugins_show import show_command
from unprompt._config.option_example import example_options
from unprompt._config.option_rows import option_rows
from unprompt._registry.plugins import Registry

Unprompt = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]
OURS = [claim.name for claim in Registry().claims if claim.distribution == "unprompt"]
AROUND: dict[str, Any] = {
    "members": {},
    "text_encoder": {"members": [{"plugin": "knn-vit-h"}]},
}
EXPERIMENT = {
    "name": "smallest",
    "data": {"plugin": "painter"},
    "ensemble": {"members": [{"plugin": "knn-vit-h"}]},
}

PLUGIN = """
import sys
from pydantic import Field
from unprompt import Location, Model, ObserverSpec, PredictorSpec, hookimpl


class Options(Model):
    file: Location = Field(description="Where rows go.")
    wait: float = Field(
        default=0.5, gt=0, le=9, description="Between rows.", json_schema_extra={"unit": "seconds"}
    )


@hookimpl
def unprompt_observer():
    return ObserverSpec("shown", "writes rows", Options, "no_such_module:Rows")


@hookimpl
def unprompt_predictor():
    return PredictorSpec("shown", "reads files", Options, "no_such_module:Reader", reads=True)


@hookimpl
def unprompt_run_started(run):
    pass
"""


def shown(unprompt: Unprompt, name: str) -> dict[str, Any]:
    done = unprompt("plugins", "show", name, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", OURS)
def test_every_example_validates_in_the_smallest_file_around_it(
    unprompt: Unprompt, tmp_path: Path, name: str
) -> None:
    offers = shown(unprompt, name)["offers"]
    assert offers
    for offer in offers:
        block = yaml.safe_load(offer["yaml"])
        assert block == offer["example"]
        (key,) = block
        path = tmp_path / f"{key}.yaml"
        path.write_text(yaml.safe_dump(AROUND.get(key, EXPERIMENT) | block), encoding="utf-8")
        done = unprompt("config", "validate", path)
        assert done.returncode == 0, done.stderr
        assert offer["yaml"] in unprompt("plugins", "show", name).stdout


@pytest.mark.parametrize("name", OURS)
def test_every_option_is_in_the_table_with_a_description(unprompt: Unprompt, name: str) -> None:
    text = unprompt("plugins", "show", name).stdout
    for offer in shown(unprompt, name)["offers"]:
        for row in offer["options"]:
            assert row["type"], row
            assert row["meaning"] not in ("", "None"), row
            assert row["meaning"] in text


def test_a_plugin_of_two_kinds_is_shown_without_its_classes(
    unprompt: Unprompt, install_plugin: InstallPlugin
) -> None:
    install_plugin("shown", PLUGIN, version="2.1")
    done = unprompt("plugins", "show", "shown")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "shown: from unprompt-shown 2.1, module shown_plugin",
        "hooks: unprompt_observer, unprompt_predictor, unprompt_run_started",
        "",
        "predictor: reads files (no_such_module:Reader, reads prompts that are in the file)",
        "",
        "option  type               default   unit     meaning",
        "file    path               required           Where rows go.",
        "wait    number, > 0, <= 9  0.5       seconds  Between rows.",
        "",
        "members:",
        "  - plugin: shown",
        "    options:",
        "      file: path/to/file  # required",
        "      wait: 0.5",
        "",
        "observer: writes rows (no_such_module:Rows)",
        "",
        "option  type               default   unit     meaning",
        "file    path               required           Where rows go.",
        "wait    number, > 0, <= 9  0.5       seconds  Between rows.",
        "",
        "observers:",
        "  - plugin: shown",
        "    options:",
        "      file: path/to/file  # required",
        "      wait: 0.5",
    ]


def test_options_fit_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_command("knn-vit-h", as_json=False)
    text = capsys.readouterr().out
    options = text[text.index("backbone:") : text.index("members:")].splitlines()
    assert max(map(len, options)) <= 70
    entry = options.index("neighbours: whole number, >= 1, default 100")
    assert (
        options[entry + 1] == "    K, the nearest bank rows to use; with kernel auto, the most of"
    )
    monkeypatch.setenv("COLUMNS", "800")
    show_command("knn-vit-h", as_json=False)
    assert "\nneighbours  " in capsys.readouterr().out, "a table where one fits"


def test_a_plugin_of_lifecycle_hooks_alone_is_an_observer(
    unprompt: Unprompt, install_plugin: InstallPlugin
) -> None:
    source = "from unprompt import hookimpl\n@hookimpl\ndef unprompt_run_started(run): ..."
    install_plugin("quiet", source)
    assert unprompt("plugins", "show", "quiet").stdout.splitlines() == [
        "quiet: from unprompt-quiet 1.0, module quiet_plugin",
        "hooks: unprompt_run_started",
        "",
        "observers:",
        "  - quiet",
    ]


def test_a_plugin_that_shares_its_name_is_written_with_its_distribution(
    unprompt: Unprompt, install_plugin: InstallPlugin
) -> None:
    for distribution in ("unprompt-shown", "other-shown"):
        install_plugin("shown", PLUGIN, distribution=distribution)
    assert "other-shown:shown" in unprompt("plugins", "show", "shown").stderr
    offer = shown(unprompt, "other-shown:shown")["offers"][0]
    assert yaml.safe_load(offer["yaml"])["members"][0]["plugin"] == "other-shown:shown"


def test_an_unknown_plugin_is_one_line_with_what_is_near(unprompt: Unprompt) -> None:
    done = unprompt("plugins", "show", "pears")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "unknown plugin 'pears'; did you mean 'pairs'?\n"


def test_a_broken_plugin_is_one_line_with_its_owner(
    unprompt: Unprompt, install_plugin: InstallPlugin
) -> None:
    install_plugin("broken", PLUGIN.replace('"shown"', '"broken"').replace("Options,", "dict,"))
    done = unprompt("plugins", "show", "broken")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("plugin 'broken' (from unprompt-broken 1.0)")
    assert "not a model of pydantic" in done.stderr


def test_torch_is_not_imported() -> None:
    code = "import sys; from unprompt._cli.app import app\n"
    code += "try:\n app(['plugins', 'show', 'knn-vit-h'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'faiss', 'optuna', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


class Colour(Enum):
    RED = "red"


class Inner(Model):
    depth: int = Field(ge=3, description="How deep.")
    child: Inner | None = Field(default=None, description="Another one.")


class Odd(Model):
    """Kinds of fields that third parties have."""

    colour: Colour = Field(default=Colour.RED, description="Which.")
    token: SecretStr = Field(default=SecretStr("s3cret"), description="Never shown.")
    inner: Inner = Field(description="A map that is required.")
    where: Location = Field(description="A path.")
    share: float = Field(gt=0, lt=1, description="Between 0 and 1.")
    names: list[str] = Field(description="A list.")
    tags: set[str] = Field(default=set(), description="A set.")
    word: str = Field(pattern="^[a-z]{3}$", examples=["abc"], description="Three letters.")


def test_types_that_third_parties_use_have_words() -> None:
    rows = {row.key: row for row in option_rows(Odd)}
    assert list(rows) == [
        *("colour", "token", "inner", "inner.depth", "inner.child", "where", "share", "names"),
        *("tags", "word"),
    ]
    assert rows["colour"].type == "Colour"
    assert "s3cret" not in str(rows)
    assert (rows["inner.depth"].type, rows["inner.depth"].limits) == ("whole number", ">= 3")
    assert rows["share"].limits == "> 0, < 1"
    assert rows["word"].limits == "like ^[a-z]{3}$"
    assert [key for key, row in rows.items() if row.required] == [
        *("inner", "where", "share", "names", "word"),
    ]


def test_required_options_are_made_up_within_their_limits() -> None:
    options, problem = example_options(Odd)
    assert problem is None
    assert options["inner"] == {"depth": 3}
    assert options["where"] == "path/to/where"
    assert options["word"] == "abc"
    assert 0 < options["share"] < 1
    assert "s3cret" not in str(options)


def test_an_example_that_the_plugin_refuses_says_why() -> None:
    class Strict(Model):
        code: str = Field(description="Of a country.")

        @field_validator("code")
        @classmethod
        def _check(cls, value: str) -> str:
            raise ValueError("no such country")

    options, problem = example_options(Strict)
    assert options == {"code": "code"}
    assert problem == "code: Value error, no such country"
