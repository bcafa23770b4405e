"""``package:NAME/...`` wherever a YAML path is: files inside installed packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

import unprompt as api
from unprompt._config.location import on_disk
from unprompt._config.shipped import FOLDERS
from unprompt.errors import DataError

Command = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
NOISY = ROOT / "tests" / "noisy_plugin.py"

ENSEMBLE = """\
name: packed
text_encoder: {plugin: noisy}
members:
  - {plugin: noisy, name: one, options: {noise: 0.1, seed: 1}}
  - {plugin: noisy, name: two, options: {noise: 0.3, seed: 2}}
"""
EXPERIMENT = """\
name: packed-run
data: {plugin: noisy, options: {test: 20, wordings: false, prompts: {}, suffix: ""}}
ensemble: {include: ../ensembles/packed.yaml}
search: {trials: 5, sampler: random}
score: {wordings: 2}
"""


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_plugin: Callable[..., Path]
) -> Path:
    """The folder of an installed package with YAML files; the working directory is another."""
    folder = install_plugin("noisy", NOISY.read_text(encoding="utf-8")) / "some_pack"
    for name, text in {
        "__init__.py": "raise RuntimeError('is not imported')",
        "ensembles/packed.yaml": ENSEMBLE,
        "experiments/packed.yaml": EXPERIMENT,
        "ensembles/wrong.yaml": "members:\n  - plugin: nosiy\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def test_config_reads_files_of_packages(package: Path, unprompt: Command) -> None:
    files = [f"package:some_pack/{name}/packed.yaml" for name in ("ensembles", "experiments")]
    done = unprompt("config", "validate", *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{files[0]}: a valid ensemble\n{files[1]}: a valid experiment\n"
    shown = yaml.safe_load(unprompt("config", "show", files[1], "--set", "search.trials=7").stdout)
    assert [member["name"] for member in shown["ensemble"]["members"]] == ["one", "two"]
    assert shown["search"]["trials"] == 7


def test_mistakes_are_located_in_the_package(package: Path, unprompt: Command) -> None:
    done = unprompt("config", "validate", "package:some_pack/ensembles/wrong.yaml")
    assert done.returncode == 2
    assert done.stderr == (
        "package:some_pack/ensembles/wrong.yaml:2:5: members.0.plugin: unknown plugin 'nosiy'; "
        "did you mean 'noisy'?\n"
    )


def test_packages_are_included(package: Path, unprompt: Command) -> None:
    Path("mine.yaml").write_text("name: mine\ninclude: package:some_pack/ensembles/packed.yaml\n")
    shown = yaml.safe_load(unprompt("config", "show", "mine.yaml").stdout)
    assert shown["name"] == "mine"
    assert len(shown["members"]) == 2
    Path("bad.yaml").write_text("include: package:some_pack/ensembles/wrong.yaml\n")
    done = unprompt("config", "validate", "bad.yaml")
    assert done.stderr.startswith("package:some_pack/ensembles/wrong.yaml:2:5: members.0.plugin:")
    (package / "ensembles/loop.yaml").write_text("include: package:some_pack/ensembles/loop.yaml")
    done = unprompt("config", "validate", "package:some_pack/ensembles/loop.yaml")
    assert "includes itself" in done.stderr


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("package:no_such_pack/x.yaml", "no installed package 'no_such_pack'"),
        ("package:", "no installed package ''"),
        ("package:some_pack/missing.yaml", "cannot be read: no such file or directory"),
        ("package:unprompt/ensembles/missing.yaml", "cannot be read: no such file or directory"),
    ],
)
@pytest.mark.parametrize("command", ["run", "search", "check", "config validate", "config show"])
def test_what_is_not_there_is_one_line(
    command: str, path: str, what: str, package: Path, unprompt: Command
) -> None:
    done = unprompt(*command.split(), path)
    assert done.returncode == 2
    assert done.stderr == f"{path}: {what}\n"


def test_a_run_of_a_package_lies_in_the_working_directory(package: Path) -> None:
    before = sorted(package.parent.rglob("*.yaml"))
    run = api.run("package:some_pack/experiments/packed.yaml")
    assert run.folder.parent == Path.cwd() / "runs" / "packed-run"
    assert sorted(package.parent.rglob("*.yaml")) == before
    study = api.search("package:some_pack/experiments/packed.yaml")
    assert Path(study.storage).is_relative_to(Path.cwd() / "runs" / "packed-run")
    repeated = api.run(run.folder / "experiment.yaml", output="again")
    assert repeated.scores.model_dump() == run.scores.model_dump()


def test_an_ensemble_of_a_package_predicts(package: Path, unprompt: Command) -> None:
    run = api.run("package:some_pack/experiments/packed.yaml", output=package / "finished")
    image = run.folder.parent / "image.png"
    from PIL import Image

    Image.new("RGB", (16, 16), "grey").save(image)
    for name in ("finished", "finished/ensemble.yaml"):
        done = unprompt("predict", f"package:some_pack/{name}", image, "-o", "out.npy")
        assert done.returncode == 0, done.stderr
    inside = package / "finished" / "ensemble.yaml"
    done = unprompt("predict", "package:some_pack/finished", image, "-o", inside, "--format", "npy")
    assert done.returncode == 2
    assert "this command reads" in done.stderr


def test_a_file_called_package(package: Path, unprompt: Command) -> None:
    Path("package:x.yaml").write_text(ENSEMBLE)
    done = unprompt("config", "validate", "./package:x.yaml")
    assert done.returncode == 0, done.stderr
    done = unprompt("config", "validate", "package:x.yaml")
    assert done.stderr == "package:x.yaml: no installed package 'x.yaml'\n"


@pytest.mark.parametrize("name", FOLDERS)
def test_what_ships_is_found_in_a_checkout(name: str) -> None:
    assert on_disk(Path(f"package:unprompt/{name}")) == ROOT / name
    [file] = on_disk(Path(f"package:unprompt/{name}/schema.json")).parent.glob("schema.json")
    assert file.is_file()
    with pytest.raises(DataError, match="no installed package"):
        on_disk(Path("package:nope/x"))
