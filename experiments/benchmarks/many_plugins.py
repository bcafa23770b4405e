"""What installed plugins cost those who do not name them.

Writes distributions into a temporary folder, as pip installs them: most import torch in the module
of their class, some in the light module with the hooks. Then runs commands with and without that
folder on the path, by turns in one run so that a noisy machine disturbs both alike, and prints the
median of each and their ratio.

    python experiments/benchmarks/many_plugins.py [--plugins N] [--heavy N] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    ["--help"],
    ["config", "validate", str(ROOT / "experiments" / "quickstart.yaml")],
    ["plugins"],
)
PROGRAM = "from unprompt._cli.app import main; main()"

LIGHT = """\
from unprompt import Model, PredictorSpec, hookimpl


class Options(Model):
    pass


@hookimpl
def unprompt_predictor():
    return PredictorSpec("NAME", "a plugin", Options, "MODULE_family:Family")
"""
FAMILY = """\
import torch

from unprompt import Predictor


class Family(Predictor):
    pass
"""
README = "What a plugin says of itself, at some length, as many do.\n" * 200
"""The metadata of a distribution holds it."""


def install(folder: Path, plugins: int, heavy: int) -> list[str]:
    """Write distributions of one plugin each.

    Args:
        folder: Exists; to be on ``sys.path``.
        plugins: How many import torch in the module of their class only.
        heavy: How many import it beside their hooks, too.

    Returns:
        Their light modules.
    """
    modules = []
    for i in range(plugins + heavy):
        name, module = f"many-{i}", f"many_{i}"
        light = LIGHT.replace("NAME", name).replace("MODULE", module)
        source = light if i < plugins else f"import torch\n{light}"
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
        (folder / f"{module}_family.py").write_text(FAMILY, encoding="utf-8")
        info = folder / f"unprompt_{module}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.4\nName: unprompt-{name}\nVersion: 1.0\n\n{README}"
        points = f"[unprompt]\n{name} = {module}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        (info / "RECORD").write_text(f"{module}.py,,\n{module}_family.py,,\n", encoding="utf-8")
        modules.append(module)
    return modules


def seconds(words: list[str], path: str) -> float:
    """The time of one command in a process of its own."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print a line per command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plugins", type=int, default=50)
    parser.add_argument("--heavy", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    before = os.environ.get("PYTHONPATH", "")
    others = sum(1 for _ in importlib.metadata.distributions())
    print(f"{others} distributions, and {arguments.plugins + arguments.heavy} with plugins more")
    with tempfile.TemporaryDirectory() as name:
        install(Path(name), arguments.plugins, arguments.heavy)
        paths = {"without": before, "with": os.pathsep.join(filter(None, [name, before]))}
        for words in COMMANDS:
            spent: dict[str, list[float]] = {which: [] for which in paths}
            for _ in range(arguments.rounds + 1):
                for which, path in paths.items():
                    spent[which].append(seconds(words, path))
            # The first round of each warms the file system's cache.
            with_, without = (statistics.median(spent[k][1:]) for k in ("with", "without"))
            print(
                f"{' '.join(words[:2])}: {1000 * without:.0f} ms without, {1000 * with_:.0f} ms "
                f"with: {with_ / without:.2f} times"
            )


if __name__ == "__main__":
    main()
