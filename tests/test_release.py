"""What a release consists of: one version everywhere, a complete and typed wheel, a citation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml

import unprompt

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = {"unprompt"} | {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}


def shipped() -> set[str]:
    """Every file below the two source roots, as the wheel should name it."""
    roots = [ROOT / "core", ROOT / "plugins"]
    files = {path.relative_to(root) for root in roots for path in root.rglob("*") if path.is_file()}
    return {
        path.as_posix()
        for path in files
        if "__pycache__" not in path.parts and len(path.parts) > 1  # the guides stay behind
    }


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
