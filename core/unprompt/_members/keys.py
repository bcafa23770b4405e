"""What results of a member are cached by, beside the member itself."""

from __future__ import annotations

from unprompt._files.hashing import content_hash
from unprompt._members.cached_text import key_of
from unprompt.contracts import Images, TrainSet
from unprompt.types import PlainData


def train_key(train: TrainSet) -> PlainData:
    """Everything that what is learned of a train set depends on."""
    rows = [
        (r.image_id, train.images.digest(r.image_id), r.prompt, r.weight) for r in train.records
    ]
    return [key_of(train.text_encoder), train.group_cosine, content_hash(rows)]


def image_key(images: Images) -> PlainData:
    """The images by id and content."""
    return [(name, images.digest(name)) for name in images.ids]
