"""Building banks in two stages: prompts are read and cleaned, then encoded shard by shard."""

from unprompt.bank.building.build import Built, Plan, build
from unprompt.bank.building.collect import PromptSource, SourcePrompt, TextFilter, collect
from unprompt.bank.building.encode import Encoder, HeldRows

__all__ = [
    "Built",
    "Encoder",
    "HeldRows",
    "Plan",
    "PromptSource",
    "SourcePrompt",
    "TextFilter",
    "build",
    "collect",
]
