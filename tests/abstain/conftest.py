"""Runs with a member that abstains from every second image, made once each."""

from __future__ import annotations

import csv
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._pipeline.run import run_experiment
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt.contracts import Runtime
from unprompt.types import DoubleArray

TESTS = Path(__file__).parents[1]

READING = """\
from unprompt import PredictorSpec, hookimpl
from carrier_plugin import CarrierOptions

@hookimpl
def unprompt_predictor():
    return PredictorSpec("reader", "reads", CarrierOptions, "carrier_plugin:Carrier", reads=True)
"""

Member = dict[str, Any]
CARRIER: Member = {"plugin": "carrier"}
READER: Member = {"plugin": "reader"}
NOISY: tuple[Member, ...] = tuple(
    {"name": f"member-{i}", "plugin": "noisy", "options": {"noise": 0.12 + 0.06 * i, "seed": i}}
    for i in range(2)
)
DATASET = {"test": 40, "wordings": True, "prompts": {}, "suffix": ""}


@pytest.fixture(scope="package")
def site(finished_run: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugins ``carrier`` and ``reader``, as one package; `finished_run` has ``noisy``."""
    folder = tmp_path_factory.mktemp("site")
    metadata = folder / "unprompt_carrier-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: unprompt-carrier\nVersion: 1.0\n"
    )
    modules = ("carrier_plugin", "reader_plugin")
    lines = [f"{module.removesuffix('_plugin')} = {module}" for module in modules]
    (metadata / "entry_points.txt").write_text("\n".join(["[unprompt]", *lines, ""]))
    shutil.copy(TESTS / "carrier_plugin.py", folder)
    (folder / "reader_plugin.py").write_text(READING)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        yield folder
    for module in modules:
        sys.modules.pop(module, None)


class Runs:
    """Experiments and their runs; those that ran before are not run again."""

    members = NOISY

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._finished: dict[str, Path] = {}

    def write(self, extra: Sequence[Member] = (), **blocks: Any) -> Path:
        """An experiment: two noisy members and others; ``search`` and other blocks as given."""
        content = {
            "name": "made",
            "data": {"plugin": "noisy", "options": DATASET},
            "ensemble": {"text_encoder": {"plugin": "noisy"}, "members": [*NOISY, *extra]},
            "score": {"wordings": 2},
            **blocks,
            "search": {"trials": 20, "sampler": "random", **blocks.get("search", {})},
        }
        text = yaml.safe_dump(content)
        for path in self.folder.glob("*.yaml"):
            if path.read_text() == text:
                return path
        path = self.folder / f"{len(list(self.folder.glob('*.yaml')))}.yaml"
        path.write_text(text)
        return path

    def __call__(self, extra: Sequence[Member] = (), **blocks: Any) -> Path:
        """The folder of such an experiment's run."""
        path = self.write(extra, **blocks)
        folder = path.with_suffix("")
        if not folder.exists():
            registry = Registry()
            context = Context(registry, Runtime(), Cache(self.folder / "cache"))
            run_experiment(load_experiment(path, registry), path, folder, context)
        return folder


@pytest.fixture(scope="package")
def runs(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """See `Runs`."""
    return Runs(tmp_path_factory.mktemp("runs"))


Rows = Callable[[Path, str], dict[str, DoubleArray]]


@pytest.fixture(scope="session")
def rows_of() -> Rows:
    """``rows_of(run, "MEMBER.SPLIT")``: image id -> row, as the file holds it."""

    def read(folder: Path, name: str) -> dict[str, DoubleArray]:
        table = pq.read_table(folder / "predictions" / f"{name}.parquet").to_pylist()
        return {line["image_id"]: np.array(line["embedding"], np.float64) for line in table}

    return read


@pytest.fixture(scope="session")
def table_of() -> Callable[[Path], dict[str, dict[str, str]]]:
    """``table_of(run)``: image id -> its row of ``images.csv``."""

    def read(folder: Path) -> dict[str, dict[str, str]]:
        with (folder / "images.csv").open(newline="") as file:
            return {row["image_id"]: row for row in csv.DictReader(file)}

    return read
