"""``unprompt plugins new``: packages that pass linters as they are, and what it refuses."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, get_args

import pytest
import yaml
from PIL import Image

from unprompt._registry.hooks import KINDS as SPECS
from unprompt._scaffold.write import KINDS
from unprompt.contracts import hookspecs

Unprompt = Callable[..., CompletedProcess[str]]
LONG = "a" * 50


@pytest.fixture(scope="session")
def package(unprompt: Unprompt, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``package(kind, name)``: a new package, made once."""
    made: dict[tuple[str, str], Path] = {}

    def make(kind: str, name: str = "demo") -> Path:
        if (kind, name) not in made:
            parent = tmp_path_factory.mktemp(kind)
            done = unprompt("plugins", "new", name, "--kind", kind, "--output", parent)
            assert done.returncode == 0, done.stderr
            assert done.stdout == f"{parent / name}\n"
            made[kind, name] = parent / name
        return made[kind, name]

    return make


def project(folder: Path) -> dict[str, Any]:
    return dict(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def refused(unprompt: Unprompt, *arguments: str | Path) -> str:
    """The one line of a refusal."""
    done = unprompt("plugins", "new", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_there_is_a_kind_for_every_spec() -> None:
    assert {kind.replace("-", "_") for kind in KINDS} == set(SPECS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_is_complete(package: Callable[..., Path], kind: str) -> None:
    folder = package(kind)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    texts = {name for name in files if not name.startswith("examples/images/")}
    (part,) = {path.stem for path in folder.glob("src/*/*.py")} - {"__init__", "plugin"}
    assert texts == {
        ".github/workflows/test.yml",
        ".gitignore",
        "README.md",
        "examples/demo.yaml",
        "pyproject.toml",
        "src/unprompt_demo/__init__.py",
        f"src/unprompt_demo/{part}.py",
        "src/unprompt_demo/plugin.py",
        "src/unprompt_demo/py.typed",
        "tests/test_contract.py",
        "tests/test_plugin.py",
    }
    for name in texts:
        text = (folder / name).read_text(encoding="utf-8")
        assert "<<" not in text, name
        assert text == "" or text.endswith("\n"), name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:src|tests|examples)/[\w./-]+)`", readme):
        assert (folder / name).exists(), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_project_has_what_pip_needs(package: Callable[..., Path], kind: str) -> None:
    folder = package(kind)
    content = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert content["build-system"]["build-backend"] == "hatchling.build"
    own = content["project"]
    assert own["name"] == "unprompt-demo"
    assert own["requires-python"] == ">=3.11"
    assert own["entry-points"] == {"unprompt": {"demo": "unprompt_demo.plugin"}}
    assert any(line.startswith("pytest") for line in own["optional-dependencies"]["test"])
    assert any(line.startswith("unprompt>=") for line in own["dependencies"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_is_light_and_has_the_hook_of_its_kind(
    package: Callable[..., Path], kind: str
) -> None:
    source = (package(kind) / "src/unprompt_demo/plugin.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    hooks = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert hooks == {f"unprompt_{kind.replace('-', '_')}"} <= set(vars(hookspecs))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules == {"pydantic", "unprompt"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_workflow_installs_tests_and_lints(package: Callable[..., Path], kind: str) -> None:
    text = (package(kind) / ".github/workflows/test.yml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert job["strategy"]["matrix"]["python"][0] == project(package(kind))[
        "requires-python"
    ].removeprefix(">=")
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[1:3] == ['pip install -e ".[test,lint]"', "pytest"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["demo", LONG, "9-Lives_2"])
@pytest.mark.skipif(not find_spec("ruff"), reason="the linters are not installed")
def test_ruff_finds_nothing(package: Callable[..., Path], kind: str, name: str) -> None:
    folder = package(kind, name)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy learned about unprompt, which takes it a minute."""
    return tmp_path_factory.mktemp("types")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not find_spec("mypy"), reason="the linters are not installed")
def test_mypy_finds_nothing(package: Callable[..., Path], kind: str, types: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(types)],
        cwd=package(kind),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_images_of_the_dataset_have_their_prompts(package: Callable[..., Path]) -> None:
    images = package("dataset") / "examples" / "images"
    names = sorted(path.stem for path in images.glob("*.png"))
    assert names == sorted(path.stem for path in images.glob("*.txt"))
    prompts = {path.read_text(encoding="utf-8").strip() for path in images.glob("*.txt")}
    assert "" not in prompts
    assert len(prompts) > len(names) / 2 > 20
    with Image.open(images / f"{names[0]}.png") as image:
        assert image.size == (64, 64)


@pytest.mark.parametrize(
    ("name", "plugin", "distribution", "module"),
    [
        ("demo", "demo", "unprompt-demo", "unprompt_demo"),
        ("unprompt-demo", "demo", "unprompt-demo", "unprompt_demo"),
        ("9-Lives_2", "9-Lives_2", "unprompt-9-lives-2", "unprompt_9_lives_2"),
        ("class", "class", "unprompt-class", "unprompt_class"),
    ],
)
def test_every_name_comes_from_the_one_that_is_typed(
    package: Callable[..., Path], name: str, plugin: str, distribution: str, module: str
) -> None:
    folder = package("observer", name)
    own = project(folder)
    assert own["name"] == distribution
    assert own["entry-points"]["unprompt"] == {plugin: f"{module}.plugin"}
    assert (folder / "src" / module / "plugin.py").is_file()
    experiment = yaml.safe_load((folder / f"examples/{plugin}.yaml").read_text(encoding="utf-8"))
    assert experiment["observers"][0]["plugin"] == plugin


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "cannot be the name of a plugin"),
        ("unprompt-", "cannot be the name of a plugin"),
        ("null", "'null' cannot be the name of a plugin: its name 'null' is no text in YAML"),
        ("2001", "is no text in YAML"),
        ("-demo", "No such option"),
        ("demo-", "cannot be the name of a plugin"),
        ("de.mo", "cannot be the name of a plugin"),
        ("de mo", "cannot be the name of a plugin"),
        ("../demo", "cannot be the name of a plugin"),
        ("demo\n", "cannot be the name of a plugin"),
        ("démo", "cannot be the name of a plugin"),
        ("a" * 51, "at most 50 letters, got 51"),
        ("ensemble", "tables use that name themselves"),
        ("painter", "is taken by plugin 'painter' (from unprompt "),
        ("unprompt-painter", "is taken by plugin 'painter' (from unprompt "),
        ("knn", "is taken by plugin 'knn-vit-g' (from unprompt "),
    ],
)
def test_a_name_that_cannot_be_used_is_one_line(
    unprompt: Unprompt, tmp_path: Path, name: str, why: str
) -> None:
    if name.startswith("-"):
        done = unprompt("plugins", "new", name, "-o", tmp_path)
        assert done.returncode == 2
        assert why in done.stderr
    else:
        assert why in refused(unprompt, name, "-o", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_names_those_that_there_are(unprompt: Unprompt, tmp_path: Path) -> None:
    done = unprompt("plugins", "new", "demo", "--kind", "encoder", "-o", tmp_path)
    assert done.returncode == 2
    assert all(kind in done.stderr for kind in KINDS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_content_stays_as_it_is(unprompt: Unprompt, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("mine")
    assert "exists already" in refused(unprompt, "demo", "-o", tmp_path)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["thesis.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_an_empty_folder_is_filled(unprompt: Unprompt, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    done = unprompt("plugins", "new", "demo", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "pyproject.toml").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_nothing_is_left_where_something_fails(
    unprompt: Unprompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNPROMPT_PLUGINS", "kaggle")  # without the images of the example
    assert "UNPROMPT_PLUGINS" in refused(
        unprompt, "demo", "--kind", "dataset", "-o", tmp_path / "new"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_parent_is_one_line(unprompt: Unprompt, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "file" in refused(unprompt, "demo", "-o", tmp_path / "file")


def test_what_to_type_next_is_said(unprompt: Unprompt, tmp_path: Path) -> None:
    parent = tmp_path / "my plugins"
    done = unprompt("plugins", "new", "demo", "-o", parent)
    assert f"cd '{parent / 'demo'}'" in done.stderr
    assert "unprompt run examples/demo.yaml" in done.stderr


def test_the_command_takes_the_kinds_that_there_are() -> None:
    from unprompt._cli.plugins_app import new

    (kinds,) = {get_args(get_args(hint)[0]) for hint in [_hint(new, "kind")]}
    assert kinds == KINDS


def _hint(function: Callable[..., object], name: str) -> Any:
    import typing

    return typing.get_type_hints(function, include_extras=True)[name]
