"""Texts of an open_clip tower without their padding."""

from __future__ import annotations

from unprompt._recipes.open_clip_towers import texts


def test_padding_changes_nothing() -> None:
    import open_clip
    import torch

    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    text = {"context_length": 16, "vocab_size": 100, "width": 32, "heads": 2, "layers": 2}
    clip = open_clip.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text).eval()
    tokens = torch.zeros(5, 16, dtype=torch.int64)
    for row, length in enumerate((2, 9, 4, 1, 7)):
        tokens[row, :length] = torch.randint(1, 99, (length,))
        tokens[row, length] = 99
    with torch.no_grad():
        own = clip.encode_text(tokens, normalize=True)
        assert torch.allclose(texts(clip, tokens), own, atol=1e-6)
