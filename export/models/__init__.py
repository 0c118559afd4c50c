"""The database models of `export`."""

from __future__ import annotations

from export.models.face_example import FaceExample
from export.models.job import ExportJob
from export.models.recipe import Recipe
from export.models.release import Release, ReleasePicture

__all__ = ["ExportJob", "FaceExample", "Recipe", "Release", "ReleasePicture"]
