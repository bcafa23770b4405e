"""Images that a member has no answer for: what it may say of them, and who answers nobody."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from unprompt._registry.parts import Member
from unprompt.contracts import Batch
from unprompt.errors import PluginError, named

log = logging.getLogger(__name__)


def check_abstentions(batch: Batch, *, reads: bool = False) -> None:
    """Check that a member that abstains says nothing else of the image; see `Predictor.predict`.

    Args:
        batch: All of a member's predictions for a split.
        reads: Whether the family reads prompts from files; then every answer has a prompt.

    Raises:
        PluginError: A zero row has a prompt or evidence, or an answer of a family that reads has
            no prompt; names the images.
    """
    answered = batch.embeddings.answered.tolist()
    images = list(zip(batch.embeddings.ids, answered, batch.prompts, batch.evidence, strict=True))
    lists = {
        "gave a zero row, which abstains, and still a prompt for": [
            name for name, answers, prompt, _ in images if not answers and prompt is not None
        ],
        "gave a zero row, which abstains, and still evidence for": [
            name for name, answers, _, evidence in images if not answers and evidence
        ],
        "reads prompts, and gave a row without the prompt that it read for": [
            name for name, answers, prompt, _ in images if reads and answers and not prompt
        ],
    }
    if problems := [f"{what} {named(names)}" for what, names in lists.items() if names]:
        raise PluginError(problems)


def warn_of_silence(member: Member, answered: Sequence[bool], where: str) -> None:
    """Warn of a member that answers for no image at all.

    One that reads files is left alone: that no file holds a prompt is usual.

    Args:
        member: The member.
        answered: For each of N images whether it answered.
        where: Which images, such as ``test images``.
    """
    if len(answered) and not any(answered) and not member.reads:
        log.warning(
            "member %r answered for none of %d %s: it adds nothing there",
            *(member.name, len(answered), where),
        )
