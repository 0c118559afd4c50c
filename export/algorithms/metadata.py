"""Facts about a picture and their three metadata formats: v1.0 (count is a string), v1.2, v2."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from export.algorithms.rows import PEOPLE_MANY, Picture, people_from_tags

Version = Literal["v1.0", "v1.1", "v1.2", "v2"]
UNKNOWN_NAMES = frozenset({"", "unknown", "ood"})  # in files of other programs, not in a collection
CountSource = Literal["people", "faces", "characters"]
_POSITION = re.compile(r"fvp (\d{1,3}) (\d{1,3}) fhp (\d{1,3}) (\d{1,3})")


@dataclass(frozen=True, slots=True)
class Box:
    """A face box relative to its picture, 0..1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def text(self) -> str:
        """The v1.0 spelling `fvp top bottom fhp left right` in whole percent, floored."""
        return f"fvp {_percent(self.top)} {_percent(self.bottom)} fhp {_percent(self.left)} {_percent(self.right)}"

    @classmethod
    def from_text(cls, text: str) -> Box:
        """Read the v1.0 spelling; ValueError when it is something else."""
        match = _POSITION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"facepos: no face position: {text!r}; expected 'fvp TOP BOTTOM fhp LEFT RIGHT'")
        top, bottom, left, right = (int(number) / 100 for number in match.groups())
        return cls(left, top, right, bottom)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a caption or metadata file can state about a picture. `characters` in the order of the faces."""

    faces: tuple[Box, ...] = ()
    characters: tuple[str, ...] = ()
    every_outfit_known: bool = False
    in_order_of_faces: bool = True  # whether each of the characters is the face at its place
    n_people: int | None = None
    general: str = ""
    tags: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    copyright: tuple[str, ...] = ()
    artist: tuple[str, ...] = ()
    rating: str = ""
    score: int | None = None
    fh_ratio: float = 0.0
    cropped: bool = False
    image_type: str = ""
    size: tuple[int, int] = (0, 0)
    prose: str = ""
    proses: tuple[str, ...] = ()  # where files have several
    meta: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()  # of the tags: computed ones with a low score

    def count(self, source: CountSource) -> int:
        """Return the number of people by tags (else faces), of faces, or of known characters."""
        if source == "characters":
            return len(self.characters)
        if source == "faces" or self.n_people is None:
            return len(self.faces)
        return self.n_people

    @property
    def positions_name_the_characters(self) -> bool:
        """Return whether faces and characters correspond one to one: a single face, or all faces known and counted."""
        if len(self.faces) == 1:
            return self.n_people in (None, 1)
        return (
            self.in_order_of_faces
            and len(self.faces) == len(self.characters)
            and self.n_people in (None, len(self.faces))
        )


def facts_of(picture: Picture, general: str = "") -> Facts:
    """Return the facts of a picture from the database; `general` is its general description."""
    known = [face for face in picture.faces if face.character]
    return Facts(
        faces=tuple(Box(face.left, face.top, face.right, face.bottom) for face in picture.faces),
        characters=picture.names,
        every_outfit_known=bool(picture.names)
        and all(face.outfit for face in known)
        and all(outfit for _, outfit in picture.characters),
        in_order_of_faces=len(known) == len(picture.names),
        n_people=people_from_tags(picture.tags),
        general=general,
        tags=picture.tags,
        scores=picture.scores,
        copyright=picture.copyright,
        artist=picture.artist,
        rating=picture.rating,
        score=picture.score,
        meta=picture.meta,
        weak=picture.weak,
        proses=picture.proses,
        fh_ratio=picture.face_height_ratio,
        cropped=picture.cropped,
        image_type=picture.image_type,
        size=(picture.width, picture.height),
        prose=picture.prose,
    )


def count_word(count: int) -> str:
    """Return the count as in the reference: `many` from six people on."""
    return "many" if count >= PEOPLE_MANY else str(count)


def written(
    facts: Facts,
    version: Version,
    *,
    count_source: CountSource = "people",
    always_facepos: bool = False,
    caption: str = "",
    filename: str = "",
    group: str = "",
) -> dict[str, Any]:
    """Return the facts as a JSON-ready dict of a version; keys in the reference's order, without empty ones."""
    if version == "v2":
        return _v2(facts, caption=caption, filename=filename, group=group)
    if version == "v1.2":
        out: dict[str, Any] = {
            "n_faces": len(facts.faces),
            "facepos": [[round(side, 6) for side in (b.left, b.top, b.right, b.bottom)] for b in facts.faces],
            "fh_ratio": round(facts.fh_ratio, 6),
            "cropped": facts.cropped,
            "n_people": _people(facts),
            "character": list(facts.characters),
            "general": facts.general,
            "tags": list(facts.tags),
        }
        return out | _optional(facts, rating=True)
    out = {
        "count": count_word(facts.count(count_source)),
        "characters": list(facts.characters),
        "general": facts.general,
    }
    if version == "v1.1":
        out["facepos"] = [[round(side, 6) for side in (b.left, b.top, b.right, b.bottom)] for b in facts.faces]
    elif facts.faces and (always_facepos or facts.positions_name_the_characters):
        out["facepos"] = [box.text for box in facts.faces]
    out["tags"] = list(facts.tags)
    if facts.cropped:
        out["cropped"] = True
    return out | _optional(facts, rating=False)


def read(data: Mapping[str, Any]) -> Facts:
    """Read the facts from any version. Raises ValueError naming the wrong entry."""
    faces = tuple(_box(entry) for entry in _list(data, "facepos"))
    characters = tuple(
        dict.fromkeys(name for name in _strings(data, "characters", "character") if name.strip() not in UNKNOWN_NAMES)
    )
    tags = data.get("processed_tags") or data.get("tags") or []
    scores = tuple(_number("tags", score) for score in tags.values()) if isinstance(tags, Mapping) else ()
    names = tuple(str(tag) for tag in tags)
    size = data.get("image_size") or (0, 0)
    return Facts(
        faces=faces,
        characters=characters,
        every_outfit_known=bool(characters) and all("," in name for name in characters),
        n_people=_count(data, names),
        general=str(data.get("general") or data.get("type") or ""),
        tags=names,
        scores=scores,
        copyright=_strings(data, "copyright"),
        artist=_strings(data, "artist"),
        rating=str(data.get("rating") or ""),
        score=data.get("score") if isinstance(data.get("score"), int) else None,
        fh_ratio=_number("fh_ratio", data.get("fh_ratio") or max((box.bottom - box.top for box in faces), default=0.0)),
        cropped=bool(data.get("cropped") or data.get("crop")),
        image_type=str(data.get("type") or ""),
        size=(int(_number("image_size", size[0])), int(_number("image_size", size[1]))),
        prose=" ".join(str(data.get("prose") or "").split()),
        proses=_strings(data, "captions"),
    )


def group_id(folder: str) -> str:
    """Return v2's name of a picture's folder."""
    return re.sub(r"\W", "_", folder)


def _v2(facts: Facts, *, caption: str, filename: str, group: str) -> dict[str, Any]:
    scores = facts.scores if len(facts.scores) == len(facts.tags) else (1.0,) * len(facts.tags)
    out: dict[str, Any] = {
        "filename": filename,
        "group_id": group_id(group),
        "image_size": list(facts.size),
        "characters": list(facts.characters),
        "tags": {tag: round(score, 4) for tag, score in zip(facts.tags, scores, strict=True)},
        "caption": caption,
        "type": facts.general or facts.image_type,
        "n_faces": len(facts.faces),
        "n_people": _people(facts),
        "facepos": [[round(side, 6) for side in (b.left, b.top, b.right, b.bottom)] for b in facts.faces],
        "fh_ratio": round(facts.fh_ratio, 6),
    }
    if facts.cropped:
        out["crop"] = {"type": "face", "score": 1.0}
    return out | _optional(facts, rating=True)


def _optional(facts: Facts, *, rating: bool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if facts.prose:
        out["prose"] = facts.prose
    if len(facts.proses) > 1:
        out["captions"] = list(facts.proses)
    if facts.copyright:
        out["copyright"] = list(facts.copyright)
    if facts.artist:
        out["artist"] = list(facts.artist)
    if rating and facts.rating:
        out["rating"] = facts.rating
    if rating and facts.score is not None:
        out["score"] = facts.score
    return out


def _people(facts: Facts) -> int | str:
    count = facts.count("people")
    return "many" if count >= PEOPLE_MANY else count


def _count(data: Mapping[str, Any], tags: tuple[str, ...]) -> int | None:
    value = data.get("n_people", data.get("count"))
    if value is None:
        return people_from_tags(tags)
    if value == "many":
        return PEOPLE_MANY
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"count: a number or 'many' is expected, found {value!r}") from error


def _box(entry: Any) -> Box:
    if isinstance(entry, str):
        return Box.from_text(entry)
    try:
        left, top, right, bottom = (_number("facepos", side) for side in entry)
    except (TypeError, ValueError) as error:
        raise ValueError(f"facepos: four numbers are expected, found {entry!r}") from error
    return Box(left, top, right, bottom)


def _number(name: str, value: Any) -> float:
    """Return a finite number. Raises ValueError for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: a number is expected, found {value!r:.60}") from error
    if not math.isfinite(number):
        raise ValueError(f"{name}: a finite number is expected, found {number}")
    return number


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key) or []
    if not isinstance(value, list):
        raise ValueError(f"{key}: a list is expected, found {type(value).__name__}")
    return value


def _strings(data: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    for key in keys:
        value = data.get(key)
        if value:
            return (value,) if isinstance(value, str) else tuple(str(item) for item in value)
    return ()


def _percent(ratio: float) -> int:
    # The small term keeps 0.29 * 100 = 28.999... at 29: what was read from percent is written as the same percent.
    return max(0, min(100, int(ratio * 100 + 1e-6)))
