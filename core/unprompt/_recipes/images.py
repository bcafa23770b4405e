"""All images of a dataset as one uint8 tensor: drawn or decoded once, before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unprompt.contracts import Images, Runtime

if TYPE_CHECKING:
    import torch


def image_tensor(images: Images, size: int, runtime: Runtime) -> torch.Tensor:
    """Open N images and scale them to squares of ``size`` pixels: uint8 (N, 3, size, size)."""
    import numpy as np
    import torch
    from joblib import Parallel, delayed

    parts = [images.ids[i : i + 256] for i in range(0, len(images), 256)]
    jobs = (delayed(_opened)(images.select(part), size) for part in parts)
    stacks = Parallel(n_jobs=runtime.workers, return_as="generator")(jobs)
    opened = list(runtime.progress(stacks, what="open images", total=len(parts)))
    return torch.from_numpy(np.concatenate(opened)).permute(0, 3, 1, 2)


def _opened(images: Images, size: int) -> object:
    """uint8 of shape (n, size, size, 3)."""
    import numpy as np
    from PIL.Image import Resampling

    opened = (images.open(image_id) for image_id in images.ids)
    return np.stack([np.asarray(i.resize((size, size), Resampling.BICUBIC)) for i in opened])
