"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.backbones.clip import ClipTowers
from unprompt.backbones.config import BackboneConfig, identity
from unprompt.backbones.stream import pixel_batches
from unprompt.backbones.vision import VisionTower

__all__ = ["BackboneConfig", "ClipTowers", "VisionTower", "identity", "pixel_batches"]
