"""Pretrained towers: a YAML ``backbone`` -> tower, preprocess and identity.

Public: families are built on this. Importing it loads no tower library.
"""

from unprompt.towers.clip import ClipTowers
from unprompt.towers.files import (
    CHECKPOINT,
    Origin,
    find_folder,
    folder_files,
    hub_file_hash,
    missing_line,
    origin_needs,
)
from unprompt.towers.messages import loading
from unprompt.towers.precision import inference, parameter_count
from unprompt.towers.pretrained import load_pretrained
from unprompt.towers.queries import ClipBackbone, ClipQueries
from unprompt.towers.sources import (
    FolderSource,
    HubSource,
    NamedSource,
    OpenClipSource,
    TimmSource,
    TowerSource,
    TransformersSource,
)
from unprompt.towers.stream import forward_batches, pixel_batches
from unprompt.towers.timm_tower import TimmTower
from unprompt.towers.tower import ImageTower, Tower
from unprompt.towers.views import IDENTITY, Views, averaged
from unprompt.towers.vision import VisionTower

__all__ = [
    "CHECKPOINT",
    "IDENTITY",
    "ClipBackbone",
    "ClipQueries",
    "ClipTowers",
    "FolderSource",
    "HubSource",
    "ImageTower",
    "NamedSource",
    "OpenClipSource",
    "Origin",
    "TimmSource",
    "TimmTower",
    "Tower",
    "TowerSource",
    "TransformersSource",
    "Views",
    "VisionTower",
    "averaged",
    "find_folder",
    "folder_files",
    "forward_batches",
    "hub_file_hash",
    "inference",
    "load_pretrained",
    "loading",
    "missing_line",
    "origin_needs",
    "parameter_count",
    "pixel_batches",
]
