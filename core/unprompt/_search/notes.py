"""A study's note, as optuna-dashboard keeps it; written without it, as it is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna

_VERSION, _PIECE = "dashboard:note_ver", "dashboard:note_str:"
_LENGTH = 2045
"""Characters in a piece: what the attributes of an RDB storage could hold once."""


def save_note(study: optuna.Study, body: str) -> None:
    """Replace the note that optuna-dashboard shows on a study's page.

    The format is that of ``optuna_dashboard.save_note``: system attributes with the note's pieces
    and a version that grows, by which a page notices that it shows an old note.

    Args:
        study: Whose note it is.
        body: Markdown.
    """
    # Optuna deprecated the study's own way to set system attributes; dashboards use its storage.
    storage, number = study._storage, study._study_id
    known = storage.get_study_system_attrs(number)
    starts = range(0, len(body), _LENGTH)
    pieces = {f"{_PIECE}{i}": body[at : at + _LENGTH] for i, at in enumerate(starts)}
    # Attributes cannot be deleted: pieces that a longer note has left behind become empty.
    left = {key: "" for key in known if key.startswith(_PIECE) and key not in pieces}
    for key, text in (pieces | left).items():
        storage.set_study_system_attr(number, key, text)
    storage.set_study_system_attr(number, _VERSION, known.get(_VERSION, 0) + 1)
