"""Runs, predictions and scores as rows of a database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unprompt import Embeddings, Observer, RunView

from .plugin_sqlite import SqliteOptions

TABLES = """
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, name TEXT, folder TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS predictions (run INTEGER, member TEXT, split TEXT, image_id TEXT);
CREATE TABLE IF NOT EXISTS scores (run INTEGER, member TEXT, score REAL);
"""


class Recorder(Observer):
    """Opens the database for each call, so that nothing is open when a run is interrupted."""

    options: SqliteOptions
    _run: int | None = None

    def run_started(self, run: RunView) -> None:
        with self._database() as database:
            database.executescript(TABLES)
            self._run = database.execute(
                "INSERT INTO runs (name, state) VALUES (?, 'running')", (run.name,)
            ).lastrowid

    def member_predicted(
        self, run: RunView, member: str, split: str, embeddings: Embeddings
    ) -> None:
        rows = [(self._run, member, split, name) for name in embeddings.ids]
        with self._database() as database:
            database.executemany("INSERT INTO predictions VALUES (?, ?, ?, ?)", rows)

    def run_finished(self, run: RunView, scores: Any) -> None:
        test = scores["test"]
        means = {name: member["score"] for name, member in test["members"].items()}
        means["ensemble"] = test["ensemble"]["score"]
        rows = [(self._run, name, score) for name, score in means.items()]
        with self._database() as database:
            database.executemany("INSERT INTO scores VALUES (?, ?, ?)", rows)
            database.execute(
                "UPDATE runs SET state = 'finished', folder = ? WHERE id = ?",
                (str(run.folder), self._run),
            )

    def run_failed(self, run: RunView, error: BaseException) -> None:
        with self._database() as database:
            database.executescript(TABLES)
            database.execute(  # a run may fail before it starts
                "INSERT INTO runs (id, name, state) VALUES (?, ?, 'failed') "
                "ON CONFLICT (id) DO UPDATE SET state = 'failed'",
                (self._run, run.name),
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        self.options.path.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.options.path.path)
        try:
            with database:
                yield database
        finally:
            database.close()
