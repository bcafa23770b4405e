"""Whose thread is waited for: that of a plugin's call in the main thread, never one of ours."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from unprompt._registry import threads
from unprompt._registry.threads import noting_threads


def _started(name: str, release: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=release.wait, name=name)
    thread.start()
    return thread


def test_only_what_a_plugin_started_is_noted() -> None:
    release = threading.Event()
    with noting_threads("plugin 'a'"):
        own = _started("worker", release)
        ours = _started("open-images_1", release)

    def beside() -> threading.Thread:
        with noting_threads("plugin 'b'"):  # opens an image while others do
            return _started("of somebody", release)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(beside).result()
    try:
        noted = {t: threads._owners.get(t) for t in (own, ours, other)}
        assert noted == {own: "plugin 'a'", ours: None, other: None}
    finally:
        release.set()
        for thread in (own, ours, other):
            thread.join()


def test_the_threads_that_open_images_are_called_so() -> None:
    import numpy as np
    import torch
    from PIL import Image

    from unprompt import Images, Runtime
    from unprompt.towers.stream import pixel_batches

    names: list[str] = []

    class Source:
        def open(self, image_id: str) -> Image.Image:
            names.append(threading.current_thread().name)
            return Image.new("RGB", (4, 4))

        def digest(self, image_id: str) -> str:
            return image_id

    def pixels(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1).copy())

    images = Images(("a", "b"), Source())
    list(pixel_batches(images, pixels, Runtime(), what="tower"))
    assert names and all(name.startswith(threads.OPENING) for name in names)
