"""The rows of `ingest`, under one name."""

from __future__ import annotations

from ingest.models.claimed import FINISHED, Claimed, Job, RunState
from ingest.models.collection import Collection, Invitation, Membership, Role
from ingest.models.counts import FrameCount
from ingest.models.frame import DropReason, Frame, FrameState, OriginalUse, Shot, SideFile
from ingest.models.history import Operation, Revision
from ingest.models.limits import CollectionLimits, EpisodeSize, PersonLimits
from ingest.models.run import PipelineRun, StageRun
from ingest.models.sent_form import SentForm
from ingest.models.source import (
    RESERVED_FOR,
    Episode,
    ImageType,
    RatingScheme,
    SkippedInput,
    Source,
    SourceKind,
    Upload,
    episode_label,
)

__all__ = [
    "FINISHED",
    "RESERVED_FOR",
    "Claimed",
    "Collection",
    "CollectionLimits",
    "DropReason",
    "Episode",
    "EpisodeSize",
    "Frame",
    "FrameCount",
    "FrameState",
    "ImageType",
    "Invitation",
    "Job",
    "Membership",
    "Operation",
    "OriginalUse",
    "PersonLimits",
    "PipelineRun",
    "RatingScheme",
    "Revision",
    "Role",
    "RunState",
    "SentForm",
    "Shot",
    "SideFile",
    "SkippedInput",
    "Source",
    "SourceKind",
    "StageRun",
    "Upload",
    "episode_label",
]
