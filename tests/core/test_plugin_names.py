"""``distribution:name`` picks one of several plugins that have a name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unprompt import ConfigError, PluginError, PredictorSpec, Runtime
from unprompt._registry.loading import load_ensemble
from unprompt._registry.plugins import Registry

InstallPlugin = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

FAMILY = """
from unprompt import Model, Predictor, PredictorSpec, hookimpl


class Options(Model):
    depth: int = 3


class Family(Predictor):
    def __init__(self, options, runtime):
        self.owner = "OWNER"

    def prepare(self, train, artifact): ...
    def load(self, artifact): ...
    def predict(self, images): ...


@hookimpl
def unprompt_predictor():
    return PredictorSpec("NAME", "of OWNER", Options, f"{__name__}:Family")
"""


@pytest.fixture
def install(install_plugin: InstallPlugin) -> Callable[[str, str], Path]:
    """``install(distribution, name)``: a family that says whose it is; each in its own module."""

    def write(distribution: str, name: str) -> Path:
        module = f"{distribution}_of_{name}".lower().replace("-", "_").replace(".", "_")
        source = FAMILY.replace("OWNER", distribution).replace("NAME", name)
        points = {name: f"{module}_plugin"}
        return install_plugin(module, source, distribution=distribution, entry_points=points)

    return write


def _built_by(reference: str, registry: Registry) -> str:
    spec = registry.spec(reference, PredictorSpec)
    return str(registry.build(spec, spec.options(), Runtime()).owner)


def _error(reference: str) -> str:
    with pytest.raises(PluginError) as caught:
        Registry().spec(reference, PredictorSpec)
    (line,) = caught.value.problems
    return line


def test_each_of_two_claims_is_used_in_one_registry(install: Callable[[str, str], Path]) -> None:
    install("first", "twin")
    install("second", "twin")
    registry = Registry()
    assert _built_by("first:twin", registry) == "first"
    assert _built_by("second:twin", registry) == "second"
    assert _built_by("first:twin", registry) == "first"


def test_a_built_in_is_replaced_and_can_be_had_too(install: Callable[[str, str], Path]) -> None:
    install("my-dist", "knn-vit-h")
    registry = Registry()
    assert _error("knn-vit-h") == (
        "plugin name 'knn-vit-h' is claimed by my-dist 1.0 and "
        f"{registry.claim('unprompt:knn-vit-h').owner}: "
        "write 'my-dist:knn-vit-h' or 'unprompt:knn-vit-h'"
    )
    assert _built_by("my-dist:knn-vit-h", registry) == "my-dist"
    assert registry.spec("unprompt:knn-vit-h", PredictorSpec).target.startswith("unprompt_knn.")


@pytest.mark.parametrize(
    "written", ["My_Dist:twin", "my-dist:twin", "my.dist:twin", "MY--DIST:twin"]
)
def test_distributions_are_compared_as_pep_503_does(
    install: Callable[[str, str], Path], written: str
) -> None:
    install("My_Dist", "twin")
    registry = Registry()
    assert _built_by(written, registry) == "My_Dist"
    assert registry.spec(written, PredictorSpec).name == "my-dist:twin"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("my-dist:twim", ": my-dist 1.0 offers no plugin 'twim'; did you mean 'twin'?"),
        (
            "my-dits:twin",
            ": no distribution 'my-dits' with plugins is installed; did you mean 'my-dist'?",
        ),
        (
            "zzz:twin",
            ": no distribution 'zzz' with plugins is installed; there is 'my-dist:twin'",
        ),
        ("zzz:zzz", ": no distribution 'zzz' with plugins is installed"),
        ("file:twin", ": UNPROMPT_PLUGINS_DIR has no file for 'twin'"),
        (":twin", ": no distribution '' with plugins is installed; there is 'my-dist:twin'"),
        ("my-dist:", ": my-dist 1.0 offers no plugin ''"),
    ],
)
def test_the_part_that_is_unknown_is_named(
    install: Callable[[str, str], Path], reference: str, expected: str
) -> None:
    install("my-dist", "twin")
    assert _error(reference) == f"unknown plugin {reference!r}{expected}"


def test_a_clash_of_an_unused_name_stops_nobody(
    install: Callable[[str, str], Path], unprompt: Command, tmp_path: Path
) -> None:
    install("first", "twin")
    install("second", "twin")
    good = tmp_path / "good.yaml"
    good.write_text("members: [{plugin: knn-vit-h}]\n")
    assert unprompt("config", "validate", good).returncode == 0
    bad = tmp_path / "bad.yaml"
    bad.write_text("members: [{plugin: twin}]\n")
    done = unprompt("config", "validate", bad)
    assert done.returncode == 2
    assert done.stderr == (
        f"{bad}:1:12: members.0.plugin: plugin name 'twin' is claimed by first 1.0 and second 1.0: "
        "write 'first:twin' or 'second:twin'\n"
    )


def test_the_listing_has_both_and_what_to_write(
    install: Callable[[str, str], Path], unprompt: Command
) -> None:
    install("first", "twin")
    install("Second", "twin")
    rows = json.loads(unprompt("plugins", "--json").stdout)
    assert [row["write"] for row in rows if row["name"] == "twin"] == ["first:twin", "second:twin"]
    assert {row["write"] for row in rows if row["name"] == "painter"} == {"painter"}
    header, *lines = unprompt("plugins").stdout.splitlines()
    assert header.split() == ["name", "package", "module", "note"]
    notes = [line for line in lines if line.startswith("twin ")]
    assert [note.split("claimed twice: ")[1].strip() for note in notes] == [
        "write first:twin",
        "write second:twin",
    ]


def test_an_ensemble_keeps_which_one_it_means(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("my-dist", "knn-vit-h")
    path = tmp_path / "two.yaml"
    path.write_text(
        "members:\n- plugin: My_Dist:knn-vit-h\n- {plugin: unprompt:knn-vit-h, name: ours}\n"
    )
    ensemble = load_ensemble(path, Registry(), ["members.knn-vit-h.options.depth=5"])
    mine, ours = ensemble.plain()["members"]
    assert mine == {
        "name": "knn-vit-h",
        "plugin": "my-dist:knn-vit-h",
        "options": {"depth": 5},
        "weight": 1.0,
    }
    assert ours["plugin"] == "unprompt:knn-vit-h"
    again = tmp_path / "again.yaml"
    again.write_text(json.dumps(ensemble.plain()))
    assert load_ensemble(again, Registry()).plain() == ensemble.plain()


def test_a_members_plugin_is_replaced_on_the_command_line(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("my-dist", "knn-vit-h")
    path = tmp_path / "one.yaml"
    path.write_text("members: [{plugin: unprompt:knn-vit-h}]\n")
    change = ["members.knn-vit-h.plugin=my-dist:knn-vit-h"]
    (member,) = load_ensemble(path, Registry(), change).members
    assert (member.name, member.part.plugin) == ("knn-vit-h", "my-dist:knn-vit-h")
    whole = ["members.unprompt:knn-vit-h.weight=3"]
    assert load_ensemble(path, Registry(), whole).members[0].weight == 3


def test_two_members_of_one_name_need_names(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("my-dist", "knn-vit-h")
    path = tmp_path / "two.yaml"
    path.write_text("members: [{plugin: my-dist:knn-vit-h}, {plugin: unprompt:knn-vit-h}]\n")
    with pytest.raises(ConfigError, match="two members are named 'knn-vit-h'"):
        load_ensemble(path, Registry())


def test_a_plugins_name_that_no_member_can_have_asks_for_another(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("my-dist", "odd.name")
    path = tmp_path / "odd.yaml"
    path.write_text("members: [{plugin: odd.name}]\n")
    with pytest.raises(ConfigError, match=r"cannot be named 'odd\.name', as its plugin: give it"):
        load_ensemble(path, Registry())
    path.write_text("members: [{plugin: odd.name, name: even}]\n")
    assert load_ensemble(path, Registry()).members[0].name == "even"


def test_the_default_text_encoder_is_ours_whoever_else_claims_its_name(
    install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("my-dist", "minilm")
    path = tmp_path / "one.yaml"
    path.write_text("members: [{plugin: knn-vit-h}]\n")
    assert load_ensemble(path, Registry()).text_encoder.plugin == "unprompt:minilm"


def test_one_plugin_under_both_its_names_hears_of_a_run_once(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    source = "from unprompt import hookimpl\n@hookimpl\ndef unprompt_run_finished(run, scores):\n"
    install_plugin("watcher", source + "    (run / str(len([*run.iterdir()]))).touch()\n")
    (tmp_path / "run").mkdir()
    names = ["watcher", "unprompt-watcher:watcher"]
    Registry().notify(names, "unprompt_run_finished", run=tmp_path / "run", scores={})
    assert len(list((tmp_path / "run").iterdir())) == 1


def test_the_source_hash_covers_the_package_of_the_target(install_plugin: InstallPlugin) -> None:
    light = FAMILY.replace("NAME", "split").replace("{__name__}", "heavy_part")
    folder = install_plugin("split", light)
    (folder / "heavy_part.py").write_text("class Family: pass\n")
    before = Registry().source_hash("split")
    assert Registry().source_hash("unprompt-split:split") == before
    folder = install_plugin("split", light)
    (folder / "heavy_part.py").write_text("class Family: depth = 4\n")
    assert Registry().source_hash("split") != before
