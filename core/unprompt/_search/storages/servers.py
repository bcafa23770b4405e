"""A study behind Optuna's gRPC proxy."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from unprompt._search.storages.messages import unusable
from unprompt._search.storages.timeout import TIMEOUT, within_timeout

if TYPE_CHECKING:
    import optuna

_GRPC_PORT = 13000  # Optuna's default


def open_grpc(url: str) -> optuna.storages.BaseStorage:
    """Connect to ``grpc://HOST:PORT``.

    Raises:
        ConfigError: The URL is malformed, gRPC is not installed, or no proxy answers there.
    """
    import optuna

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in parts.netloc or parts.path.strip("/") or parts.query:
        raise unusable(url, "not a URL such as grpc://HOST:PORT")
    try:
        rpc_error = import_module("grpc").RpcError
        import_module("google.protobuf")
    except ImportError as error:
        raise unusable(url, "pip install grpcio protobuf") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.GrpcStorageProxy(
            host=f"[{host}]" if ":" in host else host, port=port or _GRPC_PORT
        )
    try:
        storage.wait_server_ready(timeout=TIMEOUT)
        within_timeout(storage.get_all_studies)
    except (OSError, rpc_error) as error:  # a TimeoutError is an OSError
        storage.close()
        details = getattr(error, "details", lambda: None)()
        reason = f"no proxy of Optuna: {details}" if details else "nobody answers there"
        raise unusable(url, reason) from error
    return storage
