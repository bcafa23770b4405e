"""Where a bank's prompts come from: text lines, tables, `datasets` folders, other banks."""

from unprompt.bank.sources.finding import find_sources, source_files, source_kind
from unprompt.bank.sources.prompts import Kind, Prompt, SourceSpec
from unprompt.bank.sources.reading import read_source

__all__ = [
    "Kind",
    "Prompt",
    "SourceSpec",
    "find_sources",
    "read_source",
    "source_files",
    "source_kind",
]
