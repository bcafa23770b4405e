"""Observers with options: named under ``observers``, checked with the YAML, told of the run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

InstallPlugin = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

TRACKER = '''
import sqlite3
from contextlib import closing

from pydantic import Field

from unprompt import Location, Model, Observer, ObserverSpec, hookimpl


class Options(Model):
    path: Location = Field(description="The database.")
    table: str = Field(default="events", pattern="^[a-z]+$", description="Its table.")
    fault: str = Field(default="", description="Where to fail.")


class Tracker(Observer):
    """Writes a row for each event."""

    def __init__(self, options):
        super().__init__(options)
        if options.fault == "init":
            raise OSError("no database today")
        self._write("built", "")

    def _write(self, event, what):
        if self.options.fault == event:
            raise RuntimeError(f"cannot write {event}")
        with closing(sqlite3.connect(self.options.path.path)) as database, database:
            table = self.options.table
            database.execute(f"create table if not exists {table} (event text, what text)")
            database.execute(f"insert into {table} values (?, ?)", (event, what))

    def run_started(self, run):
        self._write("started", run.name)

    def member_predicted(self, run, member, split, embeddings):
        self._write("predicted", f"{member} {split} {len(embeddings)}")

    def run_finished(self, run, scores):
        self._write("finished", str(run.folder))

    def run_failed(self, run, error):
        self._write("failed", f"{type(error).__name__}: {error}")


@hookimpl
def unprompt_observer():
    return ObserverSpec("tracker", "events in SQLite", Options, f"{__name__}:Tracker")
'''

HOOKS = """
from unprompt import hookimpl

@hookimpl
def unprompt_run_started(run):
    with open(LOG, "a") as file:
        file.write("hook\\n")
"""


@pytest.fixture
def watched(
    install_plugin: InstallPlugin, write_observed: Callable[..., Path], tmp_path: Path
) -> Callable[..., Path]:
    """`write_observed`; plugins of observers are installed."""
    install_plugin("tracker", TRACKER)
    install_plugin("hooks", HOOKS.replace("LOG", repr(str(tmp_path / "log.txt"))))
    return write_observed


def _events(database: Path, table: str = "events") -> list[tuple[str, str]]:
    connection = sqlite3.connect(database)
    rows = connection.execute(f"select event, what from {table} order by rowid").fetchall()
    connection.close()
    return [(str(event), str(what)) for event, what in rows]


def _ending(unprompt: Command, path: Path, *arguments: str | Path) -> str:
    """Run an experiment that has to fail; what it ends with."""
    try:
        done = unprompt("run", path, "--quiet", *arguments)
    except Exception as error:  # noqa: BLE001  # a plugin's own, with its traceback
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    assert done.returncode in (1, 2)
    return done.stderr


def test_an_observer_hears_of_a_run_in_order(
    watched: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = watched(
        "- hooks\n"
        "- {plugin: tracker, options: {path: one.db}}\n"
        "- {plugin: unprompt-tracker:tracker, options: {path: two.db, table: others}}"
    )
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    run = Path(done.stdout.splitlines()[-1])
    scores = json.loads((run / "scores.json").read_text())
    expected = [
        ("built", ""),
        ("started", "watched"),
        ("predicted", f"mean holdout {scores['holdout']['images']}"),
        ("predicted", f"mean test {scores['test']['images']}"),
        ("finished", str(run)),
    ]
    assert _events(tmp_path / "one.db") == expected
    assert _events(tmp_path / "two.db", "others") == expected
    assert (tmp_path / "log.txt").read_text() == "hook\n"
    resolved = unprompt("config", "show", run / "experiment.yaml").stdout
    for line in ("- hooks", "plugin: tracker", "plugin: unprompt-tracker:tracker", "table: others"):
        assert line in resolved
    owners = json.loads((run / "manifest.json").read_text())["plugins"]
    for name in ("tracker", "unprompt-tracker:tracker"):
        assert (owners[name]["distribution"], owners[name]["version"]) == (
            "unprompt-tracker",
            "1.0",
        )
    # What the run wrote repeats it, observers and their options included.
    again = unprompt("run", run / "experiment.yaml", "--output", tmp_path / "again", "--quiet")
    assert again.returncode == 0, again.stderr
    assert _events(tmp_path / "one.db")[len(expected) :][-1] == (
        "finished",
        str(tmp_path / "again"),
    )


def test_a_search_alone_tells_nobody(
    watched: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = watched("- hooks\n- {plugin: tracker, options: {path: one.db}}")
    done = unprompt("search", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "one.db").exists()
    assert not (tmp_path / "log.txt").exists()


def test_an_observer_hears_of_a_failure(
    watched: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = watched("- {plugin: tracker, options: {path: one.db}}")
    text = _ending(unprompt, path, "--set", "ensemble.members.mean.options.fail=true")
    assert "no prediction" in text
    events = _events(tmp_path / "one.db")
    assert [event for event, _ in events] == ["built", "started", "failed"]
    assert "no prediction" in events[-1][1]


@pytest.mark.parametrize(
    ("observers", "expected"),
    [
        ("- tracker", "8:3: observers.0.options.path: is missing"),
        ("- {plugin: tracker}", "8:3: observers.0.options.path: is missing"),
        (
            "- {plugin: tracker, options: {path: x, tabel: y}}",
            "8:40: observers.0.options.tabel: unknown key; did you mean 'table'?",
        ),
        (
            "- {plugin: tracker, options: {path: x}, optins: {}}",
            "8:41: observers.0.optins: unknown key; did you mean 'options'?",
        ),
        (
            "- {plugin: traker}",
            "8:4: observers.0.plugin: unknown plugin 'traker'; did you mean 'tracker'?",
        ),
        (
            "- {plugin: hooks, options: {path: x}}",
            "8:19: observers.0.options: plugin 'hooks' (from unprompt-hooks 1.0) has lifecycle "
            + "hooks only, which take no options",
        ),
        (
            "- mean",
            "8:3: observers.0: plugin 'mean' (from unprompt-mean 1.0) offers no observer, "
            + "and no lifecycle hook",
        ),
        (
            "- 5",
            "8:3: observers.0: should be a plugin's name, or a map with `plugin` and `options`, "
            + "got 5",
        ),
        ("- {options: {}}", "8:3: observers.0.plugin: is missing"),
    ],
)
def test_a_mistake_has_its_position(
    watched: Callable[..., Path], unprompt: Command, observers: str, expected: str
) -> None:
    path = watched(observers)
    done = unprompt("config", "validate", path)
    assert done.returncode == 2
    assert done.stderr == f"{path}:{expected}\n"


@pytest.mark.parametrize("fault", ["init", "started", "predicted", "finished"])
def test_an_observer_that_fails_is_named_and_ends_the_run(
    watched: Callable[..., Path], unprompt: Command, fault: str, tmp_path: Path
) -> None:
    path = watched(f"- {{plugin: tracker, options: {{path: one.db, fault: {fault}}}}}")
    text = _ending(unprompt, path, "--output", tmp_path / "run")
    assert "plugin 'tracker' (from unprompt-tracker 1.0)" in text
    assert (tmp_path / "run").exists() == (fault == "finished")
    if fault == "finished":
        assert f"the run itself is complete: {tmp_path / 'run'}" in text


@pytest.mark.parametrize("event", ["finished", "failed"])
def test_each_hears_of_the_end_whoever_fails(
    watched: Callable[..., Path], unprompt: Command, event: str, tmp_path: Path
) -> None:
    path = watched(
        f"- {{plugin: tracker, options: {{path: one.db, fault: {event}}}}}\n"
        f"- {{plugin: tracker, options: {{path: two.db, fault: {event}, table: others}}}}\n"
        "- {plugin: tracker, options: {path: three.db}}"
    )
    fail = ("--set", f"ensemble.members.mean.options.fail={str(event == 'failed').lower()}")
    text = _ending(unprompt, path, *fail)
    assert text.count(f"cannot write {event}") >= 2
    assert ("no prediction" in text) == (event == "failed")
    assert _events(tmp_path / "one.db")[-1][0] != event
    assert _events(tmp_path / "three.db")[-1][0] == event


def test_plugins_lists_it_as_an_observer(
    watched: Callable[..., Path], unprompt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched("- hooks")
    monkeypatch.setenv("UNPROMPT_PLUGINS", "tracker,hooks")
    rows = json.loads(unprompt("plugins", "--check", "--json").stdout)
    assert [(row["name"], row["offers"], row["summary"]) for row in rows] == [
        ("hooks", ["observer"], ""),
        ("tracker", ["observer"], "events in SQLite"),
    ]
