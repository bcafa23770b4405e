"""Single-file plugins in a folder: ``UNPROMPT_PLUGINS_DIR`` and ``--plugins-dir``."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from unprompt import ConfigError, PluginError, PredictorSpec, Runtime
from unprompt._registry.folders import VARIABLE, plugin_files
from unprompt._registry.plugins import Registry

Command = Callable[..., CompletedProcess[str]]

FAMILY = '''
from unprompt import Model, Predictor, PredictorSpec, hookimpl


class Options(Model):
    """There is nothing to choose."""


class Family(Predictor):
    """Says where it is from."""

    def __init__(self, options, runtime):
        self.says = SAYS

    def prepare(self, train, artifact): ...

    def load(self, artifact): ...

    def predict(self, images): ...


@hookimpl
def unprompt_predictor():
    return PredictorSpec(NAME, "from a file", Options, "TARGET")
'''

MEAN = """
import numpy as np
from unprompt import Batch, Embeddings, Model, Predictor, PredictorSpec, hookimpl, unit


class Options(Model):
    pass


class Mean(Predictor):
    def prepare(self, train, artifact):
        np.save(artifact / "mean.npy", train.targets.rows.mean(axis=0, keepdims=True))

    def load(self, artifact):
        self.mean = unit(np.load(artifact / "mean.npy"))

    def predict(self, images):
        for name in images.ids:
            yield Batch(Embeddings((name,), self.mean), (None,), ((),))


@hookimpl
def unprompt_predictor():
    return PredictorSpec("my-mean", "the mean train target", Options, "my_mean:Mean")
"""


def _family(name: str, target: str, says: str = "here") -> str:
    source = FAMILY.replace("NAME", repr(name)).replace("TARGET", target)
    return source.replace("SAYS", repr(says))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which `VARIABLE` names."""
    made = tmp_path / "plugins"
    made.mkdir()
    monkeypatch.setenv(VARIABLE, str(made))
    return made


def _says(reference: str, registry: Registry | None = None) -> str:
    registry = registry or Registry()
    spec = registry.spec(reference, PredictorSpec)
    return str(registry.build(spec, spec.options(), Runtime()).says)


def test_what_is_a_plugin_in_a_folder(folder: Path) -> None:
    for name in ("my_family.py", "other-family.py", "_helper.py", ".hidden.py", "notes.txt"):
        (folder / name).touch()
    for name in ("test_my_family.py", "conftest.py"):
        (folder / name).touch()
    for name in ("package", "_private", "empty", "strange.py"):
        (folder / name).mkdir()
    (folder / "package" / "__init__.py").touch()
    (folder / "_private" / "__init__.py").touch()
    files = {path.relative_to(folder).as_posix() for path in plugin_files()}
    assert files == {"my_family.py", "other-family.py", "package/__init__.py"}
    claims = {claim.name: claim for claim in Registry().claims if claim.path}
    assert set(claims) == {"my-family", "other-family", "package"}
    assert claims["my-family"].owner == f"file {folder / 'my_family.py'}"
    assert claims["my-family"].label == f"plugin 'my-family' (from {folder / 'my_family.py'})"


def test_a_file_named_as_a_module_of_the_standard_library_is_a_module_of_its_own(
    folder: Path,
) -> None:
    (folder / "json.py").write_text("import json\n" + _family("json", "json:Family", "mine"))
    assert _says("json") == "mine"
    assert sys.modules["json"] is json


def test_two_folders_may_have_files_of_one_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "others"
    other.mkdir()
    (folder / "mine.py").write_text(_family("mine", "mine:Family", "first"))
    (other / "mine.py").write_text(_family("mine", "mine:Family", "second"))
    registry = Registry()
    assert _says("mine", registry) == "first"
    monkeypatch.setenv(VARIABLE, str(other))
    assert _says("mine") == "second"
    monkeypatch.setenv(VARIABLE, os.pathsep.join([str(folder), "", str(other), str(folder)]))
    with pytest.raises(PluginError) as caught:
        Registry().claim("mine")
    assert str(caught.value) == (
        f"plugin name 'mine' is claimed by file {other / 'mine.py'} and file {folder / 'mine.py'}: "
        "rename one of the files"
    )


def test_a_package_imports_its_own_modules_relatively(folder: Path) -> None:
    package = folder / "wide_one"
    package.mkdir()
    (package / "__init__.py").write_text(_family("wide-one", "wide_one.family:Wide"))
    (package / "family.py").write_text(
        "from unprompt import Predictor\nfrom . import helper\nclass Wide(Predictor):\n"
        "    def __init__(self, options, runtime): self.says = helper.SAYS\n"
        "    def prepare(self, train, artifact): ...\n    def load(self, artifact): ...\n"
        "    def predict(self, images): ...\n"
    )
    (package / "helper.py").write_text("SAYS = 'relatively'\n")
    assert _says("wide-one") == "relatively"
    registry = Registry()
    before = registry.source_hash("wide-one")
    assert len(before) == 64


def test_the_source_hash_is_that_of_the_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "mine.py").write_text(_family("mine", "mine:Family"))
    before = Registry().source_hash("mine")
    other = tmp_path / "others"
    other.mkdir()
    (other / "mine.py").write_text((folder / "mine.py").read_text())
    monkeypatch.setenv(VARIABLE, str(other))
    assert Registry().source_hash("mine") == before  # the same source elsewhere
    third = tmp_path / "third"
    third.mkdir()
    (third / "mine.py").write_text((folder / "mine.py").read_text() + "# another\n")
    monkeypatch.setenv(VARIABLE, str(third))
    assert Registry().source_hash("mine") != before


def test_a_spec_of_another_name_speaks_of_the_file(folder: Path) -> None:
    (folder / "mine.py").write_text(_family("other", "mine:Family"))
    with pytest.raises(PluginError) as caught:
        Registry().spec("mine", PredictorSpec)
    assert str(caught.value) == (
        f"plugin 'mine' (from {folder / 'mine.py'}): unprompt_predictor gave a spec named 'other', "
        "but its file is named 'mine'"
    )


def test_a_file_replaces_a_built_in_where_yaml_says_so(folder: Path) -> None:
    (folder / "knn_vit_h.py").write_text(_family("knn-vit-h", "knn_vit_h:Family", "replaced"))
    assert _says("file:knn-vit-h") == "replaced"
    with pytest.raises(PluginError, match="write 'file:knn-vit-h' or 'unprompt:knn-vit-h'"):
        Registry().claim("knn-vit-h")


def test_a_broken_file_is_named_and_others_still_work(folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "fine.py").write_text(_family("fine", "fine:Family"))
    registry = Registry()
    with pytest.raises(PluginError) as caught:
        registry.spec("broken", PredictorSpec)
    assert f"plugin 'broken' (from {folder / 'broken.py'})" in str(caught.value)
    assert "ZeroDivisionError" in str(caught.value)
    assert _says("fine", registry) == "here"


def test_objects_of_a_file_are_unpickled_in_another_process(folder: Path, tmp_path: Path) -> None:
    (folder / "mine.py").write_text(_family("mine", "mine:Family"))
    options = Registry().spec("mine", PredictorSpec).options()
    (tmp_path / "options.pickle").write_bytes(pickle.dumps(options))
    program = (
        "import pickle, sys, unprompt._registry.plugins\n"
        "print(pickle.load(open(sys.argv[1], 'rb')).__class__.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "options.pickle"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Options\n"


def test_the_option_lists_and_checks_and_leaves_the_environment_as_it_was(
    tmp_path: Path, unprompt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNPROMPT_PLUGINS", "mine,broken")
    (tmp_path / "mine.py").write_text(_family("mine", "mine:Family"))
    (tmp_path / "broken.py").write_text("1 / 0\n")
    done = unprompt("plugins", "--plugins-dir", tmp_path, "--check", "--json")
    assert done.returncode == 1, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"mine", "broken"}
    assert (rows["mine"]["offers"], rows["mine"]["error"]) == (["predictor"], None)
    assert rows["mine"]["path"] == str(tmp_path / "mine.py")
    assert rows["mine"]["distribution"] is None
    assert "ZeroDivisionError" in rows["broken"]["error"]
    assert VARIABLE not in os.environ
    table = unprompt("--plugins-dir", tmp_path, "plugins").stdout
    assert f"file {tmp_path / 'mine.py'}" in table


@pytest.mark.parametrize("words", [["plugins", "--plugins-dir"], ["--plugins-dir"]])
def test_a_folder_that_is_none_is_one_line(
    words: list[str], unprompt: Command, tmp_path: Path
) -> None:
    done = unprompt(*words, tmp_path / "gone", *([] if words[0] == "plugins" else ["plugins"]))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"--plugins-dir: {tmp_path / 'gone'}: no such file or directory\n"
    (tmp_path / "a:b").mkdir()
    done = unprompt("plugins", "--plugins-dir", tmp_path / "a:b")
    assert done.returncode == 2
    assert "cannot have ':' in its name" in done.stderr


def test_a_folder_in_the_environment_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ConfigError) as caught:
        _ = Registry().claims
    assert str(caught.value) == f"{VARIABLE}: {tmp_path / 'gone'}: no such file or directory"


def test_a_run_with_a_member_from_a_file_and_its_rerun_without(
    tmp_path: Path, unprompt: Command
) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "my_mean.py").write_text(MEAN)
    experiment = {
        "name": "filed",
        "data": {"plugin": "painter", "options": {"seed": 9, "images": 60, "size": 32}},
        "ensemble": {"members": [{"plugin": "my-mean"}]},
        "search": {"trials": 2},
        "score": {"wordings": 2},
    }
    (tmp_path / "filed.yaml").write_text(json.dumps(experiment))
    done = unprompt("--plugins-dir", folder, "run", tmp_path / "filed.yaml", "--quiet")
    assert done.returncode == 0, done.stderr
    run = Path(done.stdout.splitlines()[-1])
    manifest = json.loads((run / "manifest.json").read_text())
    recorded = manifest["plugins"]["my-mean"]
    assert (recorded["how"], recorded["url"]) == ("file", str(folder / "my_mean.py"))
    assert (run / "artifacts" / "my-mean" / "mean.npy").is_file()
    qualified = ["--set", "ensemble.members.my-mean.plugin=file:my-mean"]
    done = unprompt("--plugins-dir", folder, "run", tmp_path / "filed.yaml", "--quiet", *qualified)
    other = Path(done.stdout.splitlines()[-1])
    assert json.loads((other / "manifest.json").read_text())["members"] == manifest["members"]
    resolved = yaml.safe_load((other / "experiment.yaml").read_text())
    assert resolved["ensemble"]["members"][0]["plugin"] == "file:my-mean"
    again = unprompt("run", run / "experiment.yaml")
    assert again.returncode == 2
    assert "members.0.plugin: unknown plugin 'my-mean'" in again.stderr
    line = f"the run had it from {folder / 'my_mean.py'}: unprompt --plugins-dir {folder}"
    assert line in again.stderr
    assert unprompt("--plugins-dir", folder, "config", "validate", run / "experiment.yaml").stdout
