"""``unprompt dashboard``: a run's study, or a whole storage, in optuna-dashboard."""

from __future__ import annotations

import errno
import json
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from socket import AF_INET6
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer

from unprompt._runs.files import SCORES
from unprompt._runs.files import STUDY_FILES as ARTIFACTS
from unprompt._search.storages import masked, open_storage
from unprompt.errors import ConfigError, DataError, UnpromptError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

JOURNAL = "study.journal"


def dashboard_command(where: str, *, port: int, host: str, artifacts: Path | None) -> None:
    """Serve optuna-dashboard until Ctrl-C or SIGTERM; its URL is the one line on stdout.

    Args:
        where: A run's folder, or a storage as `open_storage` takes it.
        port: To listen on; 0 takes a free one.
        host: The address to listen on.
        artifacts: The folder of the studies' files; by default the run's, where there is one.

    Raises:
        UnpromptError: The storage, the folder or the address cannot be used, or optuna-dashboard
            is not installed.
    """
    if find_spec("optuna_dashboard") is None:
        raise UnpromptError(
            'optuna-dashboard is not installed: pip install "unprompt[dashboard]" brings it'
        )
    storage, files = place(where)
    if artifacts is not None and not artifacts.is_dir():
        raise ConfigError(f"--artifacts {artifacts}: there is no such folder")
    server = _listen(_pages(storage, artifacts or files), host, port)
    signal.signal(signal.SIGTERM, _stop)
    with server:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{shown}:{server.server_port}/")
        server.serve_forever()


def place(where: str) -> tuple[str, Path | None]:
    """The storage that is meant, and the folder of its studies' files where that is known.

    Args:
        where: A run's folder, or a storage.

    Raises:
        ConfigError: The folder is no run's, or its study is in a database with a password.
        DataError: The run's ``scores.json`` cannot be read.
    """
    text = where.removeprefix("journal://")
    if "://" in text:
        return where, None
    path = Path(text).expanduser()
    if not path.is_dir():
        return where, _files(path.parent)
    own, said = path / JOURNAL, _said(path / SCORES)
    if said is None or Path(said).absolute() == own.absolute():
        if not own.is_file():
            raise ConfigError(f"{where}: not a run's folder: there is no {JOURNAL} in it")
        return str(own), _files(path)
    if masked(said) != said or "***" in said:
        raise ConfigError(
            f"{where}: its study is in {masked(said)}, and a run keeps no passwords: "
            f"give the whole URL, and --artifacts {path / ARTIFACTS}"
        )
    return said, _files(path)


def _said(path: Path) -> str | None:
    """The storage that a run was told to use."""
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON") from error
    search = scores.get("search") if isinstance(scores, dict) else None
    said = search.get("storage") if isinstance(search, dict) else None
    return said if isinstance(said, str) and said else None


def _files(folder: Path) -> Path | None:
    found = folder / ARTIFACTS
    return found if found.is_dir() else None


def _pages(where: str, files: Path | None) -> WSGIApplication:
    """optuna-dashboard; it loads nothing from elsewhere."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    storage = open_storage(where, existing=True)
    store = FileSystemArtifactStore(str(files.absolute())) if files else None
    app: WSGIApplication = wsgi(storage, artifact_store=store)
    return app


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for several things at once."""

    daemon_threads = True  # a browser's open connection does not hold up the end

    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS for the host's name, which takes long without a network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is nobody's error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = AF_INET6


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""


def _listen(app: WSGIApplication, host: str, port: int) -> WSGIServer:
    server = _Server6 if ":" in host else _Server
    try:
        return make_server(host, port, app, server_class=server, handler_class=_Quiet)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"--port {port}: in use on {host}; choose another, or 0 for any free one"
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {reason}") from error


def _stop(*_: object) -> None:
    raise SystemExit(0)
