"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.towers.clip import ClipTowers
from unprompt.towers.config import BackboneConfig, PreprocessConfig
from unprompt.towers.files import check_folder, folder_files, hub_folder, hub_need, weights_hash
from unprompt.towers.precision import inference
from unprompt.towers.stream import pixel_batches
from unprompt.towers.timm_tower import TimmTower
from unprompt.towers.tower import ImageTower
from unprompt.towers.views import IDENTITY, View, Views, averaged
from unprompt.towers.vision import VisionTower

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
