"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.backbones.choice import by_name, choice, refuse, unread
from unprompt.backbones.clip import ClipTowers
from unprompt.backbones.config import (
    BackboneConfig,
    FolderBackbone,
    HubBackbone,
    NamedBackbone,
    OpenClipBackbone,
    PreprocessConfig,
    TimmBackbone,
    TransformersBackbone,
)
from unprompt.backbones.files import (
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
from unprompt.backbones.precision import inference
from unprompt.backbones.stream import pixel_batches
from unprompt.backbones.timm_tower import TimmTower
from unprompt.backbones.tower import ImageTower
from unprompt.backbones.views import IDENTITY, View, Views, averaged
from unprompt.backbones.vision import VisionTower

__all__ = [
    "CHECKPOINT",
    "IDENTITY",
    "BackboneConfig",
    "ClipTowers",
    "FolderBackbone",
    "HubBackbone",
    "ImageTower",
    "NamedBackbone",
    "OpenClipBackbone",
    "PreprocessConfig",
    "TimmBackbone",
    "TimmTower",
    "TransformersBackbone",
    "View",
    "Views",
    "VisionTower",
    "averaged",
    "by_name",
    "check_complete",
    "check_folder",
    "choice",
    "folder_files",
    "folder_needs",
    "hub_file_hash",
    "hub_folder",
    "hub_need",
    "inference",
    "loading",
    "pixel_batches",
    "refuse",
    "unread",
]
