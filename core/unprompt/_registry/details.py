"""What ``unprompt plugins show`` says of one plugin; no class that a spec names is imported."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._config.option_example import example_options
from unprompt._config.option_rows import OptionRow, option_rows
from unprompt._registry.boundary import calling
from unprompt._registry.claims import Claim
from unprompt._registry.hooks import KINDS, PluginHooks, Spec
from unprompt._registry.wording import one_line
from unprompt.contracts.specs import PredictorSpec
from unprompt.types import Json


@dataclass(frozen=True, slots=True)
class Offer:
    """One spec of a plugin.

    Attributes:
        kind: ``predictor``, ``dataset``, ``text encoder`` or ``observer``.
        summary: The spec's.
        target: The class that the spec names.
        reads: Whether it is a family that reads prompts which are in the file already.
        options: Every option.
        example: What YAML says, as plain data; see `example_options`.
        problem: Why the plugin refuses the example; None: it validates.
    """

    kind: str
    summary: str
    target: str
    reads: bool
    options: tuple[OptionRow, ...]
    example: Json
    problem: str | None


@dataclass(frozen=True, slots=True)
class Details:
    """One plugin.

    Attributes:
        claim: Where it comes from.
        reference: What YAML writes for it.
        hooks: The hooks that it implements, sorted.
        offers: Its specs.
    """

    claim: Claim
    reference: str
    hooks: tuple[str, ...]
    offers: tuple[Offer, ...]


def details(claim: Claim, reference: str) -> Details:
    """Load a plugin's light module and describe it.

    Args:
        claim: The plugin.
        reference: What YAML writes for it.

    Raises:
        PluginError: It fails to load, or a hook or an options model of it is broken.
    """
    hooks = PluginHooks()
    names = tuple(sorted(hooks.names(claim)))
    specs = [spec for kind in KINDS if (spec := hooks.offer(claim, kind)) is not None]
    return Details(claim, reference, names, tuple(_offer(claim, spec, reference) for spec in specs))


def _offer(claim: Claim, spec: Spec, reference: str) -> Offer:
    kind = KINDS[type(spec)]
    with calling(claim, "options"):  # defaults and validators are the plugin's code
        options, problem = example_options(spec.options)
        rows = tuple(option_rows(spec.options))
    part = {"plugin": reference, **({"options": options} if options else {})}
    example: dict[str, Json] = {
        "predictor": {"members": [part]},
        "dataset": {"data": part},
        "text_encoder": {"text_encoder": part},
        "observer": {"observers": [part]},
    }
    return Offer(
        kind=kind.replace("_", " "),
        summary=one_line(spec.summary, str),
        target=spec.target,
        reads=isinstance(spec, PredictorSpec) and spec.reads,
        options=rows,
        example=example[kind],
        problem=problem,
    )
