"""Many installed plugins, light and heavy ones, cost nothing where nobody names them.

How long commands take is measured by experiments/benchmarks/many_plugins.py; here is the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_cli_light import PROGRAM

LIGHT = """
from unprompt import Model, PredictorSpec, hookimpl

class Options(Model):
    pass

@hookimpl
def unprompt_predictor():
    return PredictorSpec("NAME", "one of many", Options, "MODULE_family:Family")
"""
PLUGINS, HEAVY = 50, 5


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with distributions: torch is in the family's module, of the last in both."""
    folder = tmp_path_factory.mktemp("many")
    for i in range(PLUGINS + HEAVY):
        name, module = f"many-{i}", f"many_{i}"
        source = LIGHT.replace("NAME", name).replace("MODULE", module)
        (folder / f"{module}.py").write_text(source if i < PLUGINS else f"import torch\n{source}")
        (folder / f"{module}_family.py").write_text("import torch\nclass Family: pass\n")
        info = folder / f"unprompt_{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: unprompt-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[unprompt]\n{name} = {module}\n")
    return folder


def _modules(site: Path, *words: str | Path) -> tuple[str, set[str]]:
    """What a command prints, and the modules of its process at the end."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code in (0, None), done.stderr
    return done.stdout, set(modules)


def _many(modules: set[str]) -> set[str]:
    return {module for module in modules if module.startswith("many_")}


@pytest.mark.parametrize("words", [["--help"], ["plugins"], ["config", "validate", "EXPERIMENT"]])
def test_no_plugin_is_imported_that_nobody_names(site: Path, root: Path, words: list[str]) -> None:
    experiment = str(root / "experiments" / "quickstart.yaml")
    printed, modules = _modules(
        site, *(experiment if word == "EXPERIMENT" else word for word in words)
    )
    assert _many(modules) == set()
    assert "torch" not in modules
    listed = {line.split()[0] for line in printed.splitlines() if line.startswith("many-")}
    assert listed == (
        {f"many-{i}" for i in range(PLUGINS + HEAVY)} if words == ["plugins"] else set()
    )


def test_only_the_light_module_of_a_named_one_is_imported(site: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("members: [{plugin: many-3}]\n")
    _, modules = _modules(site, "config", "validate", path)
    assert _many(modules) == {"many_3"}
    assert "torch" not in modules
