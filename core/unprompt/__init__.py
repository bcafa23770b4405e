"""What prompt made this image? The public names, for plugin authors, scripts and notebooks.

Names are looked up on first use, so that ``import unprompt`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unprompt._api import (
        PredictionScore,
        find_prompts,
        load_ensemble,
        run,
        score,
        search,
        train_members,
    )
    from unprompt._config.base import Model
    from unprompt._config.choice import choice, choice_by_name, refuse_options, unread_option
    from unprompt._config.location import Location
    from unprompt._data.expected import Expected
    from unprompt._data.images import folder_images
    from unprompt._pipeline.bank_build import build_bank
    from unprompt._pipeline.bank_import import import_bank
    from unprompt._pipeline.bank_search import search_bank
    from unprompt._pipeline.image_prompts import ImagePrompt, ImagePrompts
    from unprompt._pipeline.loaded_ensemble import LoadedEnsemble, Predictions
    from unprompt._pipeline.search import FilledStudy
    from unprompt._runs.compare import Comparison, compare
    from unprompt._runs.manifest import Manifest
    from unprompt._runs.run import Run, load_run
    from unprompt._runs.scores import Scores, SplitScores
    from unprompt._scoring.estimate import Estimate, Verdict
    from unprompt.contracts import (
        Batch,
        Dataset,
        Evidence,
        Images,
        ImageSource,
        Need,
        Observer,
        Predictor,
        Progress,
        PromptReader,
        Reading,
        Record,
        Runtime,
        RunView,
        TextEncoder,
        TrainSet,
    )
    from unprompt.contracts.hookspecs import hookimpl
    from unprompt.contracts.specs import (
        DatasetSpec,
        ObserverSpec,
        PredictorSpec,
        TextEncoderSpec,
    )
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
    "Comparison",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetSpec",
    "Embeddings",
    "Estimate",
    "Evidence",
    "Expected",
    "FilledStudy",
    "ImagePrompt",
    "ImagePrompts",
    "ImageSource",
    "Images",
    "LoadedEnsemble",
    "Location",
    "Manifest",
    "MissingFileError",
    "Model",
    "Need",
    "Observer",
    "ObserverSpec",
    "OutputError",
    "PluginError",
    "PredictionScore",
    "Predictions",
    "Predictor",
    "PredictorSpec",
    "Progress",
    "PromptReader",
    "Reading",
    "Record",
    "Run",
    "RunView",
    "Runtime",
    "Scores",
    "SplitScores",
    "TextEncoder",
    "TextEncoderSpec",
    "TrainSet",
    "UnpromptError",
    "Verdict",
    "build_bank",
    "choice",
    "choice_by_name",
    "compare",
    "cosine",
    "find_prompts",
    "folder_images",
    "hookimpl",
    "import_bank",
    "load_ensemble",
    "load_run",
    "refuse_options",
    "run",
    "score",
    "search",
    "search_bank",
    "train_members",
    "unit",
    "unread_option",
]

_HOMES = {
    "_api": [
        "PredictionScore",
        "find_prompts",
        "load_ensemble",
        "run",
        "score",
        "search",
        "train_members",
    ],
    "_config.base": ["Model"],
    "_config.choice": ["choice", "choice_by_name", "refuse_options", "unread_option"],
    "_config.location": ["Location"],
    "_data.expected": ["Expected"],
    "_data.images": ["folder_images"],
    "_pipeline.bank_build": ["build_bank"],
    "_pipeline.bank_import": ["import_bank"],
    "_pipeline.bank_search": ["search_bank"],
    "_pipeline.image_prompts": ["ImagePrompt", "ImagePrompts"],
    "_pipeline.loaded_ensemble": ["LoadedEnsemble", "Predictions"],
    "_pipeline.search": ["FilledStudy"],
    "_runs.compare": ["Comparison", "compare"],
    "_runs.manifest": ["Manifest"],
    "_runs.run": ["Run", "load_run"],
    "_runs.scores": ["Scores", "SplitScores"],
    "_scoring.estimate": ["Estimate", "Verdict"],
    "contracts.hookspecs": ["hookimpl"],
    "contracts.specs": ["DatasetSpec", "ObserverSpec", "PredictorSpec", "TextEncoderSpec"],
    "embeddings": ["Embeddings", "cosine", "unit"],
}
_MODULES = ("artifacts", "bank", "testing", "towers", "train")
"""The public modules beside this one; `help(unprompt.testing)` works without another import."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public module, or a public name's, when it is first used (PEP 562)."""
    if name in _MODULES:
        return import_module(f"unprompt.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'unprompt' has no attribute {name!r}")
    home = _HOME_OF.get(name) or ("errors" if name.endswith("Error") else "contracts")
    if home.startswith("_"):
        import_module("unprompt._config")  # first of all: it makes broken metadata harmless
    value = globals()[name] = getattr(import_module(f"unprompt.{home}"), name)
    return value


def __dir__() -> list[str]:
    """The public names and modules."""
    return sorted([*__all__, *_MODULES])
