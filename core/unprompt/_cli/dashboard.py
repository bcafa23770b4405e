"""``unprompt dashboard``: a run's study, or a whole storage, in optuna-dashboard.

``optuna_dashboard.run_server`` logs each request, names port 0 instead of the free one that it
took, and asks the DNS for the host's name; so its pages are served here.
"""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path
from socket import AF_INET, AF_INET6
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer

from unprompt._config.environment import from_environment
from unprompt._config.storage import JOURNAL
from unprompt._files.paths import is_file, is_folder, user_path
from unprompt._masking import is_masked
from unprompt._runs import files
from unprompt._runs.run import load_run
from unprompt._search.storages import in_use, label, open_storage
from unprompt._search.study import check_directions
from unprompt.errors import ConfigError

if TYPE_CHECKING:
    import optuna
    from _typeshed.wsgi import WSGIApplication


def dashboard_command(source: str, *, port: int, host: str, artifacts: Path | None) -> None:
    """Serve optuna-dashboard until Ctrl-C or SIGTERM; its URL is the one line on stdout.

    Args:
        source: A run's folder, or a storage as `open_storage` takes it.
        port: To listen on; 0 takes a free one.
        host: The address to listen on.
        artifacts: The folder of the studies' files; by default the run's, where there is one.

    Raises:
        UnpromptError: The storage, the folder or the address cannot be used.
    """
    if not host.strip():  # for the system, that is every interface
        raise ConfigError("--host: is empty; every interface is 0.0.0.0")
    storage, known_artifacts = find_studies(source)
    if artifacts is not None and not is_folder(artifacts):
        raise ConfigError(f"--artifacts {artifacts}: there is no such folder")
    application = _application(source, storage, artifacts or known_artifacts)
    server = _listen(application, host, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with server:
        address = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{address}:{server.server_port}/")
        server.serve_forever()


def find_studies(source: str) -> tuple[str, Path | None]:
    """The storage that a run's folder or a storage's name means, and its studies' files if known.

    Raises:
        ConfigError: The folder is no run's, or its study is in a database with a password.
        DataError: The run's ``scores.json`` cannot be read.
    """
    path_or_url = source.removeprefix(JOURNAL)
    if "://" in path_or_url:
        return source, None
    path = user_path(path_or_url)
    if not is_folder(path):
        return source, _artifacts_in(path.parent)
    journal = path / files.STUDY
    storage = _storage_of(path)
    if storage is None or Path(storage).absolute() == journal.absolute():
        if not is_file(journal):
            raise ConfigError(f"{source}: not a run's folder: there is no {files.STUDY} in it")
        return str(journal), _artifacts_in(path)
    try:
        storage = from_environment(storage)
    except LookupError as error:
        raise ConfigError(
            f"{source}: its study is in {storage}, and the variable is not set"
        ) from error
    if is_masked(storage):
        raise ConfigError(
            f"{source}: its study is in {storage}, and a run keeps no passwords: "
            f"give the whole URL, and --artifacts {path / files.STUDY_FILES}"
        )
    return storage, _artifacts_in(path)


def _storage_of(folder: Path) -> str | None:
    """Where a run's study is; None where it is in its folder, or there is no run."""
    if not is_file(folder / files.SCORES):  # `unprompt search` leaves a study alone
        return None
    return load_run(folder).scores.search.storage


def _check_run(source: str, storage: optuna.storages.BaseStorage) -> None:
    """Refuse to show, as a run's study, one that has been made anew for something else.

    Raises:
        ConfigError: The run's study is not in its storage, or minimizes.
    """
    import optuna

    path = Path(source.removeprefix(JOURNAL)).expanduser()
    if "://" in source or not is_file(path / files.SCORES):
        return
    search = load_run(path).scores.search
    name = label(search.storage or str(path / files.STUDY))
    if search.study not in optuna.get_all_study_names(storage):
        raise ConfigError(f"{source}: its study {search.study!r} is not in {name}")
    check_directions(optuna.load_study(study_name=search.study, storage=storage), name)


def _artifacts_in(folder: Path) -> Path | None:
    artifacts = folder / files.STUDY_FILES
    return artifacts if is_folder(artifacts) else None


class _Artifacts:
    """The files of a study that several runs have filled: each run keeps its own."""

    def __init__(self, folder: Path) -> None:
        """The files of one run, or of any; other runs lie beside it."""
        from optuna.artifacts import FileSystemArtifactStore

        own = folder.absolute()
        others = own.parent.parent.glob(f"*/{own.name}")
        self._stores = {path: FileSystemArtifactStore(str(path)) for path in (own, *others)}
        self._own = self._stores[own]

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """A file to read; the page says 404 where its run is elsewhere, or was removed."""
        from bottle import HTTPResponse  # type: ignore[import-untyped]  # optuna-dashboard's server

        for path, store in self._stores.items():
            if is_file(path / artifact_id):
                return store.open_reader(artifact_id)
        raise HTTPResponse("Not Found: its run is in another folder, or was removed", status=404)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep a file that the page was given."""
        self._own.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Remove a file; one that is not there is removed."""
        for path, store in self._stores.items():
            if is_file(path / artifact_id):
                store.remove(artifact_id)


def _application(source: str, storage: str, artifacts: Path | None) -> WSGIApplication:
    """optuna-dashboard; it loads nothing from elsewhere."""
    from optuna_dashboard import wsgi

    with in_use(storage):
        opened = open_storage(storage, existing=True)
        _check_run(source, opened)
        store = _Artifacts(artifacts) if artifacts else None
        application: WSGIApplication = wsgi(opened, artifact_store=store)
    return application


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


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""


def _listen(application: WSGIApplication, host: str, port: int) -> WSGIServer:
    class Server(_Server):
        address_family = AF_INET6 if ":" in host else AF_INET

    try:
        return make_server(host, port, application, server_class=Server, handler_class=_Quiet)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"--port {port}: in use on {host}; choose another, or 0 for any free one"
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"--host {host} --port {port}: cannot listen there: {reason}") from error
