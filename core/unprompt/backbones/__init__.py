"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.backbones.clip import ClipTowers
from unprompt.backbones.config import BackboneConfig, PreprocessConfig
from unprompt.backbones.files import check_folder, folder_files, hub_folder, hub_need, weights_hash
from unprompt.backbones.precision import inference
from unprompt.backbones.stream import pixel_batches
from unprompt.backbones.timm_tower import TimmTower
from unprompt.backbones.tower import ImageTower
from unprompt.backbones.views import IDENTITY, View, Views, averaged
from unprompt.backbones.vision import VisionTower

__all__ = [
    "IDENTITY",
    "BackboneConfig",
    "ClipTowers",
    "ImageTower",
    "PreprocessConfig",
    "TimmTower",
    "View",
    "Views",
    "VisionTower",
    "averaged",
    "check_folder",
    "folder_files",
    "hub_folder",
    "hub_need",
    "inference",
    "pixel_batches",
    "weights_hash",
]
