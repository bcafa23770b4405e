"""What prompt made this picture? The public names, for plugin authors and notebooks.

Names are looked up on first use, so that ``import unprompt`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unprompt._config.base import Model
    from unprompt._config.location import Location
    from unprompt.contracts import (
        Batch,
        Dataset,
        Evidence,
        Images,
        Need,
        Predictor,
        Record,
        Runtime,
        RunView,
        TextEncoder,
        TrainSet,
    )
    from unprompt.contracts.hookspecs import hookimpl
    from unprompt.contracts.specs import DatasetSpec, PredictorSpec, TextEncoderSpec
    from unprompt.embeddings import Embeddings, cosine, unit
    from unprompt.errors import (
        ConfigError,
        DataError,
        MissingFileError,
        OutputError,
        PluginError,
        UnpromptError,
    )

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetSpec",
    "Embeddings",
    "Evidence",
    "Images",
    "Location",
    "MissingFileError",
    "Model",
    "Need",
    "OutputError",
    "PluginError",
    "Predictor",
    "PredictorSpec",
    "Record",
    "RunView",
    "Runtime",
    "TextEncoder",
    "TextEncoderSpec",
    "TrainSet",
    "UnpromptError",
    "cosine",
    "hookimpl",
    "unit",
]

_HOMES = {
    "Location": "_config.location",
    "Model": "_config.models",
    "hookimpl": "contracts.hookspecs",
}
_HOMES |= dict.fromkeys(("DatasetSpec", "PredictorSpec", "TextEncoderSpec"), "contracts.specs")
_HOMES |= dict.fromkeys(("Embeddings", "cosine", "unit"), "embeddings")


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'unprompt' has no attribute {name!r}")
    home = _HOMES.get(name) or ("errors" if name.endswith("Error") else "contracts")
    value = globals()[name] = getattr(import_module(f"unprompt.{home}"), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
