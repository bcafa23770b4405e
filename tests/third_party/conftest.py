"""A fresh environment without downloads: what others publish comes from the one around it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ["--no-index", "--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
"""Where the build backend is here, nothing is asked of the network."""


@dataclass(frozen=True)
class Fresh:
    """An environment whose own packages come before those of the environment around it.

    Attributes:
        folder: The virtual environment.
        home: A folder to work in, outside of the repository.
    """

    folder: Path
    home: Path

    def run(self, *command: str | Path) -> str:
        """Run a command in `home`, as where this environment is active.

        Returns:
            Its stdout; fails where the command fails.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["UNPROMPT_CACHE_DIR"] = str(self.folder / "cache")
        environment["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["/usr/bin/env", *map(str, command)],
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def build_wheel(project: Path, folder: Path) -> Path:
    """A project's wheel, built into ``folder``."""
    command = [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", *OFFLINE]
    subprocess.run([*command, "--wheel-dir", str(folder), str(project)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def our_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, our_wheel: Path) -> Path:
    """The folder of a fresh environment with our wheel in it."""
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    venv.create(folder)
    flags = " ".join(["--no-deps", *OFFLINE])  # what it would download is around it
    for tool, module in (("pip", f'pip "$1" {flags} "${{@:2}}"'), ("pytest", 'pytest "$@"')):
        script = folder / "bin" / tool
        script.write_text(f"#!/usr/bin/env bash\nexec '{folder}/bin/python' -m {module}\n")
        script.chmod(0o755)
    around = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "around.pth").write_text("\n".join(around) + "\n")  # read after its own packages
    Fresh(folder, folder.parent).run("pip", "install", "--force-reinstall", our_wheel)
    return folder


@pytest.fixture
def fresh(environment: Path, tmp_path: Path) -> Iterator[Fresh]:
    """The environment, which holds nothing but our wheel before and after each test."""
    made = Fresh(environment, tmp_path)
    assert _installed(environment) == {"unprompt"}
    yield made
    if others := _installed(environment) - {"unprompt"}:
        made.run("python", "-m", "pip", "uninstall", "--yes", *others)
    shutil.rmtree(environment / "cache", ignore_errors=True)


def _installed(environment: Path) -> set[str]:
    """What an environment has of its own."""
    (site,) = environment.glob("lib/python*/site-packages")
    distributions = importlib.metadata.distributions(path=[str(site)])
    return {distribution.metadata["Name"] for distribution in distributions}


Build = Callable[[Path], Path]


@pytest.fixture
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """``build(project)``: a project's wheel."""
    return lambda project: build_wheel(project, tmp_path_factory.mktemp("built"))
