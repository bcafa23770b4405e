"""How plugins were installed: recorded by a run, printed as requirements, named when missing."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from packaging.requirements import Requirement

from unprompt import load_run
from unprompt._registry import plugins
from unprompt._registry.installs import Install, installed_distribution
from unprompt._registry.plugins import Registry

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def directly(folder: Path, content: object) -> None:
    """As an installer records where a distribution came from."""
    (metadata,) = folder.glob("*.dist-info")
    (metadata / "direct_url.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("direct", "line"),
    [
        (None, "acme==1.0"),
        ([], "acme==1.0"),
        ({"url": "file:///x", "dir_info": [1]}, "acme==1.0"),
        ({"url": "https://host/x.zip", "archive_info": {"hashes": "ab"}}, "acme==1.0"),
        ({"url": "https://host/\ud800", "archive_info": {}}, "acme==1.0"),
        (
            {"url": "https://host/a b.zip", "archive_info": {}, "subdirectory": "two words"},
            "acme @ https://host/a%20b.zip#subdirectory=two%20words",
        ),
        (
            {
                "url": "https://me:token@host/acme.git",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"},
                "subdirectory": "python",
            },
            f"acme @ git+https://host/acme.git@{COMMIT}#subdirectory=python",
        ),
        (
            {
                "url": "ssh://git@host/acme.git",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT},
            },
            f"acme @ git+ssh://git@host/acme.git@{COMMIT}",
        ),
        (
            {
                "url": "https://token@host/acme-1.0.whl?sig=x",
                "archive_info": {"hashes": {"sha256": "ab"}, "hash": "sha256=ab"},
            },
            "acme @ https://host/acme-1.0.whl#sha256=ab",
        ),
        (
            {"url": "file:///some/acme-1.0.whl", "archive_info": {}},
            "# acme 1.0 (from file:///some/acme-1.0.whl)",
        ),
        (
            {"url": "file:///some/pla%20ce", "dir_info": {}},
            "# acme 1.0 (from the folder /some/pla ce, which only its machine has)",
        ),
        (
            {"url": "file:///some/place", "dir_info": {"editable": True}},
            "# acme 1.0 (editable, from the folder /some/place, which only its machine has)",
        ),
    ],
)
def test_the_line_that_installs_the_same(
    install_plugin: InstallPlugin, direct: object, line: str
) -> None:
    folder = install_plugin("acme", "", distribution="acme")
    if direct is not None:
        directly(folder, direct)
    install = installed_distribution("acme", "1.0")
    assert install.line == line
    if install.requirement:
        assert Requirement(install.requirement).name == "acme"


def test_export_lists_every_distribution_once(
    install_plugin: InstallPlugin, unprompt: Command, tmp_path: Path, monkeypatch: Any
) -> None:
    both = {"acme-one": "acme_plugin", "acme-two": "acme_plugin"}
    install_plugin("acme", "", distribution="acme", version="2.5", entry_points=both)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "solo.py").write_text("")
    monkeypatch.setenv("UNPROMPT_PLUGINS_DIR", str(tmp_path / "alone"))
    done = unprompt("plugins", "export")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "unprompt" in lines[0]
    assert lines.count("acme==2.5") == 1
    alone = f"# file {tmp_path}/alone/solo.py: a plugin without a package, which only its machine"
    assert [line for line in lines if line.startswith(alone)] == [f"{alone} has"]


@pytest.fixture
def run(install_plugin: InstallPlugin, unprompt: Command, tmp_path: Path) -> Path:
    """A run whose member is of a plugin from a repository, which is then not installed any more."""
    source = (Path(__file__).parents[1] / "noisy_plugin.py").read_text()
    install_plugin("noisy", source)
    renamed = source.replace('"noisy"', '"gone"')
    folder = install_plugin("gone", renamed, distribution="Gone.Plugin", version="3.1")
    info = {"vcs": "git", "commit_id": COMMIT}
    directly(folder, {"url": "https://me:pw@host/gone", "vcs_info": info})
    (tmp_path / "gone.yaml").write_text(
        "name: gone\n"
        "data:\n"
        "  plugin: noisy\n"
        "  options: {test: 20, wordings: false, prompts: {}, suffix: ''}\n"
        "ensemble:\n"
        "  text_encoder: {plugin: noisy}\n"
        "  members: [{plugin: gone, options: {noise: 0.1, seed: 1}}]\n"
        "search: {trials: 2, sampler: random}\n"
    )
    done = unprompt("run", tmp_path / "gone.yaml", "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder)
    sys.modules.pop("gone_plugin")
    importlib.invalidate_caches()
    return tmp_path / "run"


def test_a_run_says_what_it_had_and_what_is_missing(
    run: Path, unprompt: Command, tmp_path: Path
) -> None:
    had = load_run(run).manifest.plugins
    assert had["noisy"] == Install(distribution="unprompt-noisy", version="1.0")
    assert had["gone"] == Install(
        distribution="Gone.Plugin",
        version="3.1",
        how="vcs",
        url="https://host/gone",
        revision=COMMIT,
        vcs="git",
    )
    requirement = f"Gone.Plugin @ git+https://host/gone@{COMMIT}"
    done = unprompt("plugins", "export", run)
    assert done.stdout.splitlines()[1:] == [requirement, "unprompt-noisy==1.0"]
    assert "pw@" not in (run / "manifest.json").read_text()

    hint = (
        f"unknown plugin 'gone'; see `unprompt plugins`; the run had it from Gone.Plugin 3.1 (git "
        f"https://host/gone, commit {COMMIT[:12]}): pip install '{requirement}'"
    )
    for words in (
        ("predict", run, tmp_path, "-o", tmp_path / "x.csv"),
        ("run", f"{run}/experiment.yaml"),
    ):
        done = unprompt(*words)
        assert done.returncode == 2
        assert done.stderr.splitlines()[0].endswith(hint), done.stderr
    # Also where an ensemble includes the run's.
    (tmp_path / "own.yaml").write_text("include: run/ensemble.yaml\nname: own\n")
    assert hint in unprompt("config", "validate", tmp_path / "own.yaml").stderr
    # Who names it elsewhere is not told of a run.
    (tmp_path / "other.yaml").write_text("members: [{plugin: gone}]\n")
    assert "the run had it" not in unprompt("config", "validate", tmp_path / "other.yaml").stderr


def test_a_manifest_of_an_older_version_is_read(
    run: Path, edit_json: Callable[..., None], unprompt: Command
) -> None:
    (run / "checksums.json").unlink()
    edit_json(run / "manifest.json", lambda manifest: manifest["plugins"].update(gone="Gone 3.0"))
    assert load_run(run).manifest.plugins["gone"].line == "Gone==3.0"
    (run / "scores.json").write_text("{}")  # of a version that wrote others
    done = unprompt("plugins", "export", run)
    assert done.stdout.splitlines()[1:] == ["Gone==3.0", "unprompt-noisy==1.0"]
    done = unprompt("plugins", "export", run.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{run.parent}: no manifest.json in it, so it is no finished run\n"


# Source


def test_the_source_hash_covers_the_package_of_the_target(
    install_plugin: InstallPlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unprompt import PredictorSpec

    heavy = tmp_path / "project" / "src" / "acme_heavy"
    (heavy / "deep").mkdir(parents=True)
    (heavy / "__init__.py").write_text("")
    (heavy / "deep" / "model.py").write_text("class Model: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    install_plugin(
        "acme",
        "from unprompt import Model, PredictorSpec, hookimpl\n"
        "@hookimpl\n"
        "def unprompt_predictor():\n"
        '    return PredictorSpec("acme", "s", Model, "acme_heavy.deep.model:Model")\n',
    )

    def hashed() -> str:
        plugins._package_hash.cache_clear()
        importlib.invalidate_caches()
        return Registry().source_hash("acme", PredictorSpec)

    gone = hashed()  # nothing is raised where it is not installed
    monkeypatch.syspath_prepend(str(heavy.parent))  # as an editable install's .pth does
    first = hashed()
    assert first != gone
    (heavy / "deep" / "model.py").write_text("class Model: ...  # another\n")
    second = hashed()
    assert second != first
    (heavy / "fast.cpython-311-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
    assert (hashed() != second) == (sys.version_info[:2] == (3, 11))
    (heavy / "fast.abi3.so").write_bytes(b"\x7fELF")
    third = hashed()
    assert third != second
    (heavy / "notes.txt").write_text("no code")
    assert hashed() == third
    # One module instead of a package.
    shutil.rmtree(heavy)
    (heavy.parent / "acme_heavy.py").write_text("")
    single = hashed()
    (heavy.parent / "acme_heavy.py").write_text("1")
    assert hashed() not in (single, third, gone)


def test_the_source_hash_of_a_single_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "solo.py"
    monkeypatch.setenv("UNPROMPT_PLUGINS_DIR", str(tmp_path))
    hashes = []
    for text in ("", "# edited\n"):
        file.write_text(text)
        plugins._package_hash.cache_clear()
        hashes.append(Registry().source_hash("solo"))
    assert hashes[0] != hashes[1]
