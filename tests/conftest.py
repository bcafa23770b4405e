"""What every test may use: third-party plugins made on the spot, and a cache of their own."""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from unprompt._cli.app import main
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._pipeline.run import run_experiment
from unprompt._registry import plugins as registry
from unprompt._registry.loading import load_experiment
from unprompt.contracts import Runtime

InstallPlugin = Callable[..., Path]
MakeRun = Callable[..., Path]
EditJson = Callable[[Path, Callable[[Any], object]], None]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests, and what they start, away from the user's cache.

    ``UNPROMPT_TEST_CACHE_DIR`` names a cache to use instead of an empty one.
    """
    folder = os.environ.get("UNPROMPT_TEST_CACHE_DIR") or tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNPROMPT_CACHE_DIR", str(folder))
        yield


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallPlugin]:
    """Install a plugin as pip would: a module and its metadata in a folder on ``sys.path``.

    ``install_plugin(name, source)`` writes the module ``<name>_plugin`` (dashes become
    underscores) and gives the folder, so that a subprocess can have it in PYTHONPATH.
    """
    before = set(sys.modules)
    made: list[Path] = []

    def install(
        name: str,
        source: str,
        *,
        distribution: str | None = None,
        version: str = "1.0",
        entry_points: Mapping[str, str] | None = None,
    ) -> Path:
        folder = tmp_path / f"site-{len(made)}"
        module = f"{name.replace('-', '_')}_plugin"
        project = distribution or f"unprompt-{name}"
        metadata = folder / f"{project.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n", encoding="utf-8"
        )
        lines = [f"{key} = {value}" for key, value in (entry_points or {name: module}).items()]
        text = "\n".join(["[unprompt]", *lines, ""])
        (metadata / "entry_points.txt").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(folder))
        made.append(folder)
        _forget()
        return folder

    def _forget() -> None:
        for module in set(sys.modules) - before:
            origin = getattr(sys.modules[module], "__file__", None)
            if origin and any(Path(origin).is_relative_to(folder) for folder in made):
                del sys.modules[module]
        registry._package_hash.cache_clear()
        importlib.invalidate_caches()

    yield install
    _forget()


SMALL = """\
name: small
data:
  plugin: painter
  options: {seed: 7, images: 240, size: 64}
  split: {train: 0.6, holdout: 0.2, test: 0.2, seed: 0}
ensemble:
  include: ENSEMBLE
search: {trials: 20}
score: {wordings: 2}
"""


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def unprompt() -> Callable[..., CompletedProcess[str]]:
    """``unprompt(*arguments)``: the command in this process, with its exit code and output."""

    def run(*arguments: str | Path) -> CompletedProcess[str]:
        words = ["unprompt", *map(str, arguments)]
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", words)
            try:
                main()
            except SystemExit as stop:
                code = int(stop.code or 0)
        return CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def small_experiment(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The YAML of a run of seconds: 240 small images and the embedded ensemble."""
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(SMALL.replace("ENSEMBLE", str(root / "ensembles" / "embedded.yaml")))
    return path


@pytest.fixture(scope="session")
def small_run(
    unprompt: Callable[..., CompletedProcess[str]], small_experiment: Path
) -> CompletedProcess[str]:
    """`small_experiment`, run once; the last line on stdout is its folder."""
    done = unprompt("run", small_experiment)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def small_folder(small_run: CompletedProcess[str]) -> Path:
    """The folder of `small_run`."""
    return Path(small_run.stdout.splitlines()[-1])


COMMAND = ["/somewhere/bin/unprompt", "run", "my experiment.yaml", "--set"]
COMMAND += ["search.storage=postgresql://me:secret@host/studies"]
PLUGIN = Path(__file__).with_name("noisy_plugin.py")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    """``finished_run(**what)``: a run's folder, made once; see `experiment` for ``what``."""
    site, runs = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("runs")
    metadata = site / "unprompt_noisy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: unprompt-noisy\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text("[unprompt]\nnoisy = noisy_plugin\n")
    shutil.copy(PLUGIN, site / "noisy_plugin.py")
    finished: dict[str, Path] = {}

    def run(**what: Any) -> Path:
        text = yaml.safe_dump(experiment(**what))
        if text not in finished:
            path = runs / f"{len(finished)}.yaml"
            path.write_text(text, encoding="utf-8")
            plugins = registry.Registry()
            context = Context(plugins, Runtime(), Cache(runs / "cache"))
            finished[text] = run_experiment(
                load_experiment(path, plugins), path, path.with_suffix(""), context
            ).folder
        return finished[text]

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setattr(sys, "argv", COMMAND)
        importlib.invalidate_caches()
        yield run
    sys.modules.pop("noisy_plugin", None)


def experiment(
    members: int = 3,
    images: int = 60,
    oracle: bool = True,
    prompts: Mapping[str, str] | None = None,
    suffix: str = "",
    noise: Mapping[int, float] | None = None,
    subsets: Sequence[str] = (),
    **search: Any,
) -> dict[str, Any]:
    """An experiment on ``images`` test images; everything that a report can show is on.

    Args:
        members: How many; each sees the true embedding through more noise than the one before.
        images: Of the test split; two by two they are a group.
        oracle: Whether the dataset knows other wordings of a prompt.
        prompts: Image, such as ``test-0`` -> its prompt, where it is not the usual one.
        suffix: Behind the number in every image id.
        noise: Member -> its noise, where it is not the usual one.
        subsets: That groups are in by turns; an empty text: in none.
        search: Of the ``search`` block.
    """
    dataset: dict[str, Any] = {
        "test": images,
        "wordings": oracle,
        "prompts": prompts or {},
        "suffix": suffix,
    }
    if subsets:
        dataset["subsets"] = list(subsets)
    usual = {i: 0.12 + 0.06 * i for i in range(members)}
    return {
        "name": "made",
        "data": {"plugin": "noisy", "options": dataset},
        "ensemble": {
            "text_encoder": {"plugin": "noisy"},
            "members": [
                {"name": f"member-{i}", "plugin": "noisy", "options": {"noise": share, "seed": i}}
                for i, share in (usual | dict(noise or {})).items()
            ],
        },
        "search": {"trials": 30, "sampler": "random", "ablations": ["per-dimension"], **search},
        "score": {"wordings": 2},
    }


@pytest.fixture
def make_run(finished_run: MakeRun, tmp_path: Path) -> MakeRun:
    """``make_run(**what)``: a finished run that the test may change; see `experiment`.

    It has no checksums, as runs of older versions: with them, every change is a mistake.
    """

    def make(**what: Any) -> Path:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(finished_run(**what), folder)
        (folder / "checksums.json").unlink()
        return folder

    return make


@pytest.fixture
def edit_json() -> EditJson:
    """``edit_json(path, edit)``: change a JSON file in place; ``edit`` gets its content."""

    def change(path: Path, edit: Callable[[Any], object]) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        edit(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    return change
