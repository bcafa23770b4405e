"""The files for contributors name checks, groups, scripts and paths that exist."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GUIDES = [
    ROOT / "README.md",
    *sorted(ROOT.glob(".github/*.md")),
    *(ROOT / folder / "README.md" for folder in ("core", "ensembles", "experiments", "plugins")),
]


def block(name: str) -> list[str]:
    """The lines of the fenced block below a comment."""
    [body] = re.findall(rf"<!-- {name} -->\n```bash\n(.*?)```", CONTRIBUTING, flags=re.DOTALL)
    return str(body).splitlines()


def requirements(group: str) -> set[str]:
    """The names of a dependency group's packages, of the groups that it includes too."""
    names: set[str] = set()
    for item in PYPROJECT["dependency-groups"][group]:
        if isinstance(item, dict):
            names |= requirements(item["include-group"])
        else:
            names.add(re.split(r"[\[><=]", item)[0])
    return names


def jobs() -> dict[str, Any]:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    return dict(workflow["jobs"])


def test_the_checks_are_those_of_the_gate() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    linters = script.partition('step "linters"\n')[2].partition("step ")[0].splitlines()
    assert block("checks") == [line for line in linters if not line.startswith("pip ")]


def test_the_gate_and_contributors_install_groups_that_exist() -> None:
    [install] = [line for line in block("set-up") if "--group" in line]
    [extra] = re.findall(r"\.\[([\w-]+)\]", install)
    assert extra in PYPROJECT["project"]["optional-dependencies"]
    gate = (ROOT / ".ci/run").read_text(encoding="utf-8")
    groups = re.findall(r"--group ([\w-]+)", f"{install}\n{gate}")
    assert len(groups) == 2
    assert set(groups) <= set(PYPROJECT["dependency-groups"])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_extras_that_are_named_exist(guide: Path) -> None:
    extras = re.findall(r"pip install [^`\n]*\.\[([\w-]+)\]", guide.read_text(encoding="utf-8"))
    assert set(extras) <= set(PYPROJECT["project"]["optional-dependencies"])


def test_the_tools_that_are_named_come_with_the_groups() -> None:
    packages = {"lint-imports": "import-linter"}  # where the command is called otherwise
    checks = {line.split()[0] for line in block("checks")}
    assert {packages.get(tool, tool) for tool in checks} <= requirements("lint")
    assert {"pre-commit", "build", "twine"} <= requirements("dev")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = {hook["entry"].split()[0] for repo in hooks["repos"] for hook in repo["hooks"]}
    assert {packages.get(tool, tool) for tool in entries - {"python"}} <= requirements("dev")
    assert checks <= entries


def test_the_paths_that_are_named_exist() -> None:
    named = re.findall(r"`(?:python )?([\w.-]+(?:/[\w.-]+)+/?)`", CONTRIBUTING)
    assert len(named) > 5
    placeholders = ("plugins/unprompt_NAME", "dist/")
    assert [path for path in named if path not in placeholders and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(guide: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", guide.read_text(encoding="utf-8"))
    assert [link for link in links if not (guide.parent / link).exists()] == []


def test_the_workflow_runs_the_scripts_on_the_python_that_the_project_asks_for() -> None:
    scripts = {step["run"] for job in jobs().values() for step in job["steps"] if "run" in step}
    assert scripts == set(block("gates")) == {".ci/run", ".ci/lowest"}
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)
    lowest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert jobs()["gate"]["strategy"]["matrix"]["python"][0] == lowest
    [setup] = [step for step in jobs()["lowest"]["steps"] if "setup-python" in step.get("uses", "")]
    assert setup["with"]["python-version"] == lowest
