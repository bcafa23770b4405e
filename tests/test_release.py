"""What a release consists of: one version everywhere, a complete and typed wheel, a citation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml

import unprompt

Command = Callable[..., list[str]]

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = {"unprompt"} | {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}


def shipped() -> set[str]:
    """Every file of the wheel: all below the two source roots, and YAML to start from."""
    roots = [ROOT / "core", ROOT / "plugins"]
    files = {path.relative_to(root) for root in roots for path in root.rglob("*") if path.is_file()}
    code = {
        path.as_posix()
        for path in files
        if "__pycache__" not in path.parts and len(path.parts) > 1  # the guides stay behind
    }
    starts = [
        path.relative_to(ROOT)
        for folder in ("ensembles", "experiments")
        for pattern in ("*.yaml", "schema.json")
        for path in (ROOT / folder).glob(pattern)
    ]
    assert len(starts) >= 6
    return code | {f"unprompt/{path.as_posix()}" for path in starts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    tools = [name for name in ("build", "hatchling") if importlib.util.find_spec(name)]
    command = [sys.executable, "-m"]
    if tools == ["build", "hatchling"]:
        command += ["build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    else:
        isolation = ["--no-build-isolation"] if "hatchling" in tools else []
        command += ["pip", "wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """``installed(folder, *words)``: the command of the installed wheel, without a checkout."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(wheel.filename)], check=True)
    code = (
        "import sys, unprompt, unprompt_knn; from unprompt._cli.app import main; "
        f"assert all(m.__file__.startswith({str(site)!r}) for m in (unprompt, unprompt_knn)); "
        "sys.argv[0] = 'unprompt'; main()"
    )

    def run(folder: Path, *words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.fixture(scope="module")
def dist_info(wheel: zipfile.ZipFile) -> str:
    """The wheel's folder of metadata, with a slash at its end."""
    (folder,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    return f"{folder}/"


def test_the_wheel_holds_everything_below_core_and_plugins(
    wheel: zipfile.ZipFile, dist_info: str
) -> None:
    expected = shipped()
    assert len(expected) > 70
    assert {name for name in wheel.namelist() if not name.startswith(dist_info)} == expected
    for name in ("clip-a/open_clip_model.safetensors", "clip-a/tokenizer.json"):
        info = wheel.getinfo(f"unprompt_painter/checkpoints/{name}")
        assert info.file_size == (ROOT / "plugins" / info.filename).stat().st_size > 10_000


def test_without_a_checkout_there_are_files_to_start_from(
    installed: Command, tmp_path: Path
) -> None:
    quickstart = "package:unprompt/experiments/quickstart.yaml"
    assert installed(tmp_path, "config", "validate", quickstart) == [
        f"{quickstart}: a valid experiment"
    ]
    written = installed(tmp_path, "init")
    assert "experiments/quickstart.yaml" in written
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml"))
    assert len(files) >= 4
    valid = installed(tmp_path, "config", "validate", *files)
    assert len(valid) == len(files)
    for name in files:
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.slow
def test_without_a_checkout_the_quickstart_runs(installed: Command, tmp_path: Path) -> None:
    """As the README writes it for pip, with fewer images."""
    small = ["data.options.images=240", "data.options.size=64", "search.trials=20"]
    small += ["score.wordings=2", "data.split.train=0.6", "data.split.holdout=0.2"]
    small += ["data.split.test=0.2"]
    settings = [word for value in small for word in ("--set", value)]
    quickstart = "package:unprompt/experiments/quickstart.yaml"
    *_, folder = installed(tmp_path, "run", quickstart, *settings)
    assert Path(folder).parent == tmp_path / "runs" / "quickstart"
    assert (Path(folder) / "report.html").is_file()


def test_the_wheel_claims_no_other_name(wheel: zipfile.ZipFile, dist_info: str) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == PACKAGES | {dist_info.rstrip("/")}
    assert all(top.startswith("unprompt") for top in tops)


def test_every_package_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    marked = {name.partition("/")[0] for name in wheel.namelist() if name.endswith("/py.typed")}
    assert marked == PACKAGES


def test_the_wheel_says_what_the_project_says(wheel: zipfile.ZipFile, dist_info: str) -> None:
    text = wheel.read(f"{dist_info}entry_points.txt").decode()
    plugins = PROJECT["entry-points"]["unprompt"].items()
    expected = {
        "unprompt = unprompt._cli.app:main",
        *(f"{key} = {value}" for key, value in plugins),
    }
    assert expected <= set(text.splitlines())
    assert f"{dist_info}licenses/LICENSE" in wheel.namelist()


def test_one_version(wheel: zipfile.ZipFile, dist_info: str) -> None:
    metadata = HeaderParser().parsestr(wheel.read(f"{dist_info}METADATA").decode())
    assert metadata["Version"] == unprompt.__version__
    assert importlib.metadata.version("unprompt") == unprompt.__version__


def test_the_changelog_begins_with_this_version_or_what_comes_after_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", text, flags=re.MULTILINE)
    assert headings[0] in ("Unreleased", unprompt.__version__)


def test_the_citation_says_what_the_project_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == unprompt.__version__
    assert citation["title"] == PROJECT["name"]
    assert citation["abstract"] == PROJECT["description"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["license"] == PROJECT["license"]
    (author,) = citation["authors"]
    assert author["name"].lower() in (ROOT / "LICENSE").read_text(encoding="utf-8").lower()
