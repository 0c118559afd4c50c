"""Crops of heads, cut from frames around face boxes: stored, shown, and input of the embedder."""

from __future__ import annotations

from annotate.algorithms.face_features import cut_head, head_crop_of
from annotate.backends.contract import Picture
from annotate.models import Face
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.encode import PictureFormat, encode
from ingest.storage.stored_files import store

CROP_SIDES = (64, 192)  # pixels of a stored head crop, between the embedding's size and what the pages show
CROP_FORMAT = PictureFormat("jpeg", quality=92)


def head_file(picture: Picture, box: tuple[float, ...]) -> bytes:
    """Return the encoded crop of the head around a box (left, top, right, bottom, each 0 to 1)."""
    height, width = picture.shape[:2]
    pixels = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
    side = min(max(head_crop_of(pixels).side, CROP_SIDES[0]), CROP_SIDES[1])
    return encode(cut_head(picture, pixels, side_px=side), CROP_FORMAT)


def write_crop(face: Face) -> None:
    """Store the crop of a box drawn or moved by hand; where the frame cannot be read, the next run does it."""
    name = face.frame.file or face.frame.preview
    try:
        picture = read_picture(store().read(name), name="the frame").rgb
    except (UnreadablePicture, FileNotFoundError):
        return
    box = (face.left, face.top, face.right, face.bottom)
    crop = store().put(head_file(picture, box), CROP_FORMAT.suffix)
    left, top, right, bottom = box
    same = Face.objects.filter(pk=face.pk, crop="", left=left, top=top, right=right, bottom=bottom)
    same.update(crop=crop)  # unless somebody moved the box meanwhile
