"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.towers.clip import ClipTowers
from unprompt.towers.sources import (
    TowerSource,
    FolderSource,
    HubSource,
    NamedSource,
    OpenClipSource,
    PreprocessConfig,
    TimmSource,
    TransformersSource,
)
from unprompt.towers.files import (
    CHECKPOINT,
    check_complete,
    check_folder,
    folder_files,
    folder_needs,
    hub_file_hash,
    hub_folder,
    hub_need,
    loading,
)
from unprompt.towers.precision import inference
from unprompt.towers.stream import pixel_batches
from unprompt.towers.timm_tower import TimmTower
from unprompt.towers.tower import ImageTower
from unprompt.towers.views import IDENTITY, View, Views, averaged
from unprompt.towers.vision import VisionTower

__all__ = [
    "CHECKPOINT",
    "IDENTITY",
    "TowerSource",
    "ClipTowers",
    "FolderSource",
    "HubSource",
    "ImageTower",
    "NamedSource",
    "OpenClipSource",
    "PreprocessConfig",
    "TimmSource",
    "TimmTower",
    "TransformersSource",
    "View",
    "Views",
    "VisionTower",
    "averaged",
    "check_complete",
    "check_folder",
    "folder_files",
    "folder_needs",
    "hub_file_hash",
    "hub_folder",
    "hub_need",
    "inference",
    "loading",
    "pixel_batches",
]
