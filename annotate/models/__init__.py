"""The rows of `annotate`, under one name."""

from __future__ import annotations

from annotate.models.answer import ModelAnswer, ModelChoice, ModelLabels
from annotate.models.caption import Caption, CaptionAnswer, ModelCaption
from annotate.models.character import Character, CharacterAlias
from annotate.models.checked_frame import CheckedFrame
from annotate.models.claim import Claim, ItemKind, Presence
from annotate.models.counts import FaceCount, NamedFrameCount, TagCount
from annotate.models.evaluation import Evaluation
from annotate.models.face import Face, FaceCluster, FaceState, NamedBy, ReferencePicture
from annotate.models.face_vector import FaceVector
from annotate.models.file_facts import FileCaption, FileFacts
from annotate.models.frame_character import FrameCharacter, NameOrigin
from annotate.models.library import ModelJob, ModelTiming
from annotate.models.model_version import ModelVersion
from annotate.models.tag import FrameTag, Tag, TagAlias, TagCategory, TagState
from annotate.models.tag_list import TagList

__all__ = [
    "Caption",
    "CaptionAnswer",
    "Character",
    "CharacterAlias",
    "CheckedFrame",
    "Claim",
    "Evaluation",
    "Face",
    "FaceCluster",
    "FaceCount",
    "FaceState",
    "FaceVector",
    "FileCaption",
    "FileFacts",
    "FrameCharacter",
    "FrameTag",
    "ItemKind",
    "ModelAnswer",
    "ModelCaption",
    "ModelChoice",
    "ModelJob",
    "ModelLabels",
    "ModelTiming",
    "ModelVersion",
    "NameOrigin",
    "NamedBy",
    "NamedFrameCount",
    "Presence",
    "ReferencePicture",
    "Tag",
    "TagAlias",
    "TagCategory",
    "TagCount",
    "TagList",
    "TagState",
]
