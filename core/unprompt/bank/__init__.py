"""Prompt banks: known prompts with their embeddings, and nearest-neighbour search in them.

Public: model families can be built on this. What the commands do: `build_bank`, `import_bank`,
`index_bank`, `dedup`, `search_bank`, `verify`, and `StoredBank.open`, whose `manifest` is what
`unprompt bank info` prints. What is below them: `read_source` and `find_sources` read prompts,
`writing_bank` writes a bank of rows that exist, `search_exact` and `ApproximateIndex` search rows.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unprompt.bank.cleaning import Deduplicated, dedup
from unprompt.bank.disk import BankOnDisk, read_bank
from unprompt.bank.importing import Imported
from unprompt.bank.indexing import index_bank, remove_index
from unprompt.bank.interface import Bank, BankCounts, BankTexts
from unprompt.bank.keys import cached_key_parts, cached_keys
from unprompt.bank.prompts import PromptBank
from unprompt.bank.search import ApproximateIndex, Neighbours, PreparedRows, search_exact
from unprompt.bank.source import BankConfig
from unprompt.bank.sources import Prompt, SourceSpec, find_sources, read_source
from unprompt.bank.store import BankManifest, StoredBank, verify, writing_bank

if TYPE_CHECKING:
    from unprompt._pipeline.bank_build import build_bank
    from unprompt._pipeline.bank_filters import Limits
    from unprompt._pipeline.bank_import import import_bank
    from unprompt._pipeline.bank_search import BankHit, search_bank
    from unprompt.bank.building import Built

__all__ = [
    "ApproximateIndex",
    "Bank",
    "BankConfig",
    "BankCounts",
    "BankHit",
    "BankManifest",
    "BankOnDisk",
    "BankTexts",
    "Built",
    "Deduplicated",
    "Imported",
    "Limits",
    "Neighbours",
    "PreparedRows",
    "Prompt",
    "PromptBank",
    "SourceSpec",
    "StoredBank",
    "build_bank",
    "cached_key_parts",
    "cached_keys",
    "dedup",
    "find_sources",
    "import_bank",
    "index_bank",
    "read_bank",
    "read_source",
    "remove_index",
    "search_bank",
    "search_exact",
    "verify",
    "writing_bank",
]

_LATER = {
    "BankHit": "_pipeline.bank_search",
    "Built": "bank.building",
    "Limits": "_pipeline.bank_filters",
    "build_bank": "_pipeline.bank_build",
    "import_bank": "_pipeline.bank_import",
    "search_bank": "_pipeline.bank_search",
}
"""What loads plugins and models stands above this module, so it is imported on first use."""


def __getattr__(name: str) -> Any:
    """Import a public name from above when it is first used (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module 'unprompt.bank' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"unprompt.{_LATER[name]}"), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
