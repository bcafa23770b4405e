"""Plugins of other distributions, each broken in one way: `cases.yaml`, installed as pip does."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

IMPORTS = """\
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from pydantic import ConfigDict, Field, field_validator
from unprompt import (
    Batch, Dataset, DatasetSpec, Embeddings, Evidence, Images, MissingFileError, Model, Observer,
    ObserverSpec, Predictor, PredictorSpec, TextEncoder, TextEncoderSpec, hookimpl,
)
import noisy_plugin as noisy

NAME, HERE = {name!r}, __name__

class Odd:
    pass

class Source:
    def __init__(self, source, image, text):
        self.source, self.image, self.text = source, image, text
    def open(self, name):
        return self.image(self.source.open(name))
    def digest(self, name):
        return self.text(self.source.digest(name))

def with_source(images, image=lambda image: image, digest=lambda text: text):
    return Images(images.ids, Source(images.source, image, digest))
"""

KINDS = {
    "predictor": ("PredictorSpec", "Member", "noisy.NoisyMember", "noisy.MemberOptions"),
    "dataset": ("DatasetSpec", "Gallery", "noisy.NoisyDataset", "noisy.DatasetOptions"),
    "text_encoder": ("TextEncoderSpec", "Encoder", "noisy.NoisyEncoder", "Model"),
    "observer": ("ObserverSpec", "Watcher", "Observer", "Model"),
}
"""Each kind's spec, the name of its class, and what class and options derive from."""


@dataclass(frozen=True)
class Case:
    """A broken plugin; `cases.yaml` says what the fields are."""

    name: str
    kind: str
    code: int
    line: str = ""
    check: str | None = None
    module: str | None = ""
    body: str = ""
    options: str = "pass"
    spec: str = ""
    requires: str = ""
    provides: str = ""

    @property
    def module_name(self) -> str:
        """The plugin's module."""
        return f"{self.name.replace('-', '_').replace('.', '_')}_plugin"

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"plugin {self.name!r} (from unprompt-{self.name} 1.5)"

    @property
    def found(self) -> str | None:
        """What ``plugins --check`` says of it."""
        return self.line if self.check == "line" else self.check

    def source(self) -> str | None:
        """The module; None where the entry point names one that does not exist."""
        if self.module != "":
            return self.module
        spec, name, base, options = KINDS[self.kind]
        body = self.body or f"class {name}({base}):\n    pass"
        spec = self.spec or f"{spec}(NAME, 'broken', Options, HERE + ':{name}')"
        return (
            IMPORTS.format(name=self.name)
            + f"\nclass Options({options}):\n    {self.options}\n\n{body}\n\n"
            + f"@hookimpl\ndef unprompt_{self.kind}():\n    return {spec}\n"
        )


CASES = [
    Case(**row)
    for row in yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))
]
FILTERS = {
    "broken": CASES,
    "in_a_run": [case for case in CASES if case.line and case.code],
    "in_a_training": [case for case in CASES if case.line and not case.code],
    "before_a_run": [case for case in CASES if case.check],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that names one of the filters each of its cases."""
    for name in FILTERS.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, FILTERS[name], ids=[case.name for case in FILTERS[name]])


@pytest.fixture(scope="session")
def every_case() -> list[Case]:
    """All of them."""
    return CASES


Install = Callable[..., Path]


def _install(folder: Path, name: str, module: str, requires: str = "") -> None:
    """The metadata of a distribution."""
    metadata = folder / f"unprompt_{name.replace('-', '_')}-1.5.dist-info"
    metadata.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: unprompt-{name}", "Version: 1.5"]
    lines += [f"Requires-Dist: {requires}"] * bool(requires)
    (metadata / "METADATA").write_text("\n".join([*lines, ""]))
    (metadata / "entry_points.txt").write_text(f"[unprompt]\n{name} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, with a plugin that works: `noisy_plugin`."""
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(Path(__file__).parents[1] / "noisy_plugin.py", folder)
    _install(folder, "noisy", "noisy_plugin")
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Callable[[Case], None]:
    """``install(case)``: beside what is installed in `site`."""

    def install_case(case: Case) -> None:
        requires = case.requires
        _install(site, case.name, case.module_name, requires)
        if case.provides:  # an extra of its own
            [metadata] = site.glob(f"unprompt_{case.name.replace('-', '_')}-*/METADATA")
            with metadata.open("a") as file:
                file.write(f'Provides-Extra: all\nRequires-Dist: {case.provides}; extra == "all"\n')
        source = case.source()
        if source is not None:
            (site / f"{case.module_name}.py").write_text(source)
        importlib.invalidate_caches()

    return install_case
