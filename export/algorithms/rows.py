"""Plain rows for all dataset rules: one picture with its faces and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

PEOPLE_MANY = 6  # from six people on, the count is the word "many"
Use = Literal["", "plain", "rendered"]
_PEOPLE_TAG = re.compile(r"([1-5])(girl|boy)s?|6\+(girl|boy)s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face box, relative 0..1, and its character (an empty name: unknown).

    An outfit is part of the name (`KuraueHinata Hairdown`); `outfit` says whether the name includes one.
    """

    left: float
    top: float
    right: float
    bottom: float
    character: str = ""
    outfit: bool = False
    by_person: bool = False  # the name was given by a person
    author: str = ""  # of the box, a key of the manifest's authors
    name_author: str = ""  # of the name, likewise
    score: float = 1.0  # of the box
    confidence: float | None = None  # of a name that a model gave

    @property
    def height(self) -> float:
        """Height relative to the picture, 0..1."""
        return min(1.0, max(0.0, self.bottom - self.top))


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A tag of a picture with who said it: `author` is a key of the manifest's authors, `day` as `2026-11-30`.

    `category`: Danbooru's number.
    """

    tag: str
    category: int = 0
    author: str = ""
    score: float = 1.0
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a picture comes from: SHA-256 of its source, name in a folder, index, seconds in a film.

    `groups`: what belongs together and must not be split (`shot:12`, `copy:...`), each unique in the collection.
    `original_size`: (width, height) of the picture that a crop was cut from.
    """

    source: str = ""
    name: str = ""
    index: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    groups: tuple[str, ...] = ()
    original_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture to export. `key` is stable over time (it seeds the caption); `file` names the stored bytes.

    `original`: the stored source file of the picture, if the export starts from it. `use`: whether any program shows it
    as intended (`plain`), or it is transparent, animated or similar (`rendered`).
    """

    key: str
    stem: str
    file: str
    original: str = ""
    use: Use = ""
    width: int
    height: int
    faces: tuple[Face, ...] = ()
    tags: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    series: str = ""
    episode: str = ""
    image_type: str = "screenshots"
    source_dirs: tuple[str, ...] = ()
    copyright: tuple[str, ...] = ()
    artist: tuple[str, ...] = ()
    rating: str = ""
    caption: str | None = None
    prose: str = ""  # sentences about the whole picture, of a file beside it or a captioning model
    proses: tuple[str, ...] = ()  # all those of files, where there are several
    sentences: tuple[str, ...] = ()  # of all files and models, none that a person's caption is newer than
    score: int | None = None  # of the site it came from
    characters: tuple[tuple[str, bool], ...] = ()  # who is on it by other evidence than faces: name, is it an outfit
    characters_by_person: tuple[str, ...] = ()  # those of them that a person named
    weak: tuple[str, ...] = ()  # of the tags: computed ones with a low score
    meta: tuple[str, ...] = ()  # tags about the picture itself, labels of classifiers
    cropped: bool = False
    passes: int = 0  # of upscaling that the stored picture has behind it
    labels: tuple[Label, ...] = ()  # every tag with its author, in the order of the scores
    origin: Origin = Origin()

    @property
    def source(self) -> str:
        """The stored file that the export starts from: the picture's source file, else the stored picture."""
        return self.original or self.file

    @property
    def names(self) -> tuple[str, ...]:
        """Distinct known names in the order of the faces, then characters without a face."""
        faces = [face.character for face in self.faces if face.character]
        return tuple(dict.fromkeys((*faces, *(name for name, _ in self.characters))))

    @property
    def unnamed_faces(self) -> int:
        """How many faces are no known character: extras, a crowd, faces that nobody has named yet."""
        return sum(not face.character for face in self.faces)

    @property
    def names_by_person(self) -> tuple[str, ...]:
        """The names given by people, sorted."""
        others = {name for name, _ in self.characters} & set(self.characters_by_person)
        return tuple(sorted({face.character for face in self.faces if face.character and face.by_person} | others))

    @property
    def face_height_ratio(self) -> float:
        """Height of the tallest face relative to the picture; 0 without a face."""
        return max((face.height for face in self.faces), default=0.0)


def people_from_tags(tags: tuple[str, ...] | list[str]) -> int | None:
    """Count people by count tags (`1girl`, `2boys`, `6+girls` ...), complete tags only; None without any.

    The largest count of each kind is taken and the kinds are added (reference, people count). `no_humans` is 0.
    """
    maxima: dict[str, int] = {}
    for tag in tags:
        match = _PEOPLE_TAG.fullmatch(tag)
        if match is not None:
            kind = match.group(2) or match.group(3)
            maxima[kind] = max(maxima.get(kind, 0), int(match.group(1) or PEOPLE_MANY))
    if maxima:
        return sum(maxima.values())
    return 0 if "no_humans" in tags else None
