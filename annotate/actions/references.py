"""Reference pictures of characters from a folder with one sub-folder of face pictures per character."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from django.conf import settings

from annotate.actions import characters
from annotate.actions.head_crops import CROP_FORMAT, CROP_SIDES, head_file
from annotate.actions.model_versions import version_of
from annotate.algorithms.face_features import cut_head
from annotate.backends.boxes.known_detectors import DEFAULT, open_detector
from annotate.backends.contract import Embedder, FaceDetector, Picture
from annotate.backends.embedders.known_embedders import packed
from annotate.chosen_models.embedder import embedder_of
from annotate.models import ReferencePicture
from ingest import humane
from ingest.actions import history
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.encode import encode
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.models import Collection
from ingest.storage.stored_files import store

HEAD_ALREADY = 0.45  # of the picture's height: a face this large is all of the picture, which is a head crop then
PICTURES_MAX = 500  # per character; more add nothing


@dataclass(slots=True)
class Added:
    """Counts of characters and pictures from the folder, and the skipped ones with their reasons."""

    characters: int = 0
    pictures: int = 0
    known: int = 0
    left_out: list[str] = field(default_factory=list)


def add_folder(*, collection: Collection, folder: Path, by: Any) -> Added:
    """Read each distinct picture, find the head in it, compute its vector and store it as a reference.

    A missing character is created. Raises BadInput when the folder has no sub-folders with pictures, and when no
    recognition model is chosen or the chosen one is not installed.
    """
    people = _people(folder)
    if not people:
        raise BadInput(f"{folder.name}: a folder of references must hold one folder of face pictures per character.")
    embedder = embedder_of(collection)
    if embedder is None:
        raise BadInput("No recognition model is chosen. Choose one on the models page first.")
    detector, added = open_detector(DEFAULT, settings.KOMA_MODELS_DIR), Added()
    for name, paths in people:
        try:
            _add_person(collection, name, paths, detector, embedder, added, by=by)
        except BadInput as error:
            added.left_out.append(f"{name}: {error.message}")
    return added


def _add_person(
    collection: Collection,
    name: str,
    paths: list[Path],
    detector: FaceDetector,
    embedder: Embedder,
    added: Added,
    *,
    by: Any,
) -> None:
    version, files = version_of(embedder.info), store()
    who = characters.find_or_create(collection=collection, name=name, by=by)
    known = set(
        ReferencePicture.objects.filter(character=who, embedding_version=version).values_list("sha256", flat=True)
    )
    rows: dict[str, ReferencePicture] = {}
    for path in paths[:PICTURES_MAX]:
        try:
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if digest in known or digest in rows:
                added.known += 1
                continue
            picture = read_picture(data, name=f"{name}/{path.name}").rgb
        except (OSError, UnreadablePicture) as error:
            added.left_out.append(f"{name}/{path.name}: {error}")
            continue
        head, file = _head(picture, detector)
        rows[digest] = ReferencePicture(
            collection=collection,
            character=who,
            sha256=digest,
            crop=files.put(file, CROP_FORMAT.suffix),
            embedding=packed(embedder, embedder.embed([head])[0]),
            embedding_version=version,
        )
    added.left_out += [f"{name}: only the first {PICTURES_MAX} pictures were used"] * (len(paths) > PICTURES_MAX)
    added.characters += 1
    added.pictures += len(rows)
    if rows:
        with history.operation(
            collection=collection,
            by=by,
            kind="references.add",
            summary=f"{humane.count(len(rows), 'reference picture')} of {who.name}",
        ) as record:
            # The vector is of an older version: compute it again.
            for old in ReferencePicture.objects.filter(character=who, sha256__in=rows):
                record.deleted(old)
                old.delete()
            for row in rows.values():
                row.save()
                record.created(row)


def _head(picture: Picture, detector: FaceDetector) -> tuple[Picture, bytes]:
    """Return the head for the embedder and its picture file: the best face's, or the full picture if it is a head."""
    height, width = picture.shape[:2]
    boxes = detector.detect([picture])[0]
    if len(boxes.scores):
        box = boxes.boxes[int(np.argmax(boxes.scores))]
        if box[3] - box[1] < HEAD_ALREADY * height:
            relative = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
            return cut_head(picture, (box[0], box[1], box[2], box[3])), head_file(picture, relative)
    side = min(CROP_SIDES[1], max(height, width))
    square = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return picture, encode(square, CROP_FORMAT)


def _people(folder: Path) -> list[tuple[str, list[Path]]]:
    people = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            paths = sorted(
                path
                for path in entry.iterdir()
                if path.is_file() and not path.is_symlink() and path.suffix.lower().lstrip(".") in PICTURE_ENDINGS
            )
            if paths:
                people.append((entry.name, paths))
    return people
