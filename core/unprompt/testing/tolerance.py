"""How far rows that should be equal may differ."""

TOLERANCE = 1e-5
"""How far rows may differ with the order of images or texts, or the batch size, in float32."""
