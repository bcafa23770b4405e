"""All pictures of a dataset as one uint8 tensor: drawn or decoded once, on every core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unprompt.contracts import Images, Progress

if TYPE_CHECKING:
    import torch


def picture_tensor(images: Images, size: int, progress: Progress) -> torch.Tensor:
    """Open every picture and scale it to a square.

    Args:
        images: N pictures.
        size: Side in pixels.
        progress: Shows how far it is.

    Returns:
        uint8 of shape (N, 3, size, size).
    """
    import numpy as np
    import torch
    from joblib import Parallel, delayed

    parts = [images.ids[i : i + 256] for i in range(0, len(images), 256)]
    jobs = (delayed(_open)(images.select(part), size) for part in parts)
    stacks = Parallel(n_jobs=os.cpu_count(), return_as="generator")(jobs)
    done = list(progress(stacks, what="open pictures", total=len(parts)))
    return torch.from_numpy(np.concatenate(done)).permute(0, 3, 1, 2)


def _open(images: Images, size: int) -> object:
    """uint8 of shape (n, size, size, 3)."""
    import numpy as np
    from PIL import Image

    pictures = [images.open(image_id) for image_id in images.ids]
    scaled = [
        picture
        if picture.size == (size, size)
        else picture.resize((size, size), Image.Resampling.BICUBIC)
        for picture in pictures
    ]
    return np.stack([np.asarray(picture) for picture in scaled])
