"""Names that came with pictures, read for many frames at once: of files, copies and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from annotate.algorithms.name_evidence import COPY, FILE, PERSON, TAG, TAGGER, Named, ranked
from annotate.models import Face, FrameCharacter, FrameTag, NamedBy, TagCategory, TagState
from annotate.tagging.effective import COPY_FILE, COPY_PERSON, SIDE_FILE
from annotate.tagging.from_files import copies_of, facts_of_files
from ingest.models import Frame

NOT_TAGGERS = (SIDE_FILE.name, COPY_FILE.name, COPY_PERSON.name)


@dataclass(frozen=True, slots=True)
class Word:
    """A name as it was written, with whose word it is."""

    name: str
    origin: str
    score: float = 1.0
    box: tuple[float, float, float, float] | None = None


@dataclass(slots=True)
class Words:
    """The names of a frame that were written, those that are characters already, and those that a person denied."""

    names: list[Word] = field(default_factory=list)
    characters: list[Named] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)


def words_of(frames: Sequence[Frame]) -> dict[int, Words]:
    """Return evidence by frame key, for frames that have any. Few queries; the caller bounds the number of frames."""
    words_by_frame: dict[int, Words] = {}
    for key, entry in facts_of_files(frames).items():
        words = words_by_frame.setdefault(key, Words())
        for facts in entry.all:
            boxes = facts.boxes or (None,) * len(facts.character)
            words.names += [Word(name, FILE, box=box) for name, box in zip(facts.character, boxes, strict=True)]
        for (name, category), yes in entry.people.items():
            if category == TagCategory.CHARACTER and yes:
                words.names.append(Word(name, TAG))
    copies = dict(copies_of(frame.pk for frame in frames).values_list("pk", "duplicate_of_id"))
    on_copies = Face.objects.filter(frame__in=copies, named_by=NamedBy.PERSON, character__isnull=False)
    sides = ("left", "top", "right", "bottom")
    for frame, character, *box in on_copies.order_by("pk").values_list("frame_id", "character_id", *sides):
        place = (box[0], box[1], box[2], box[3])
        words_by_frame.setdefault(copies[frame], Words()).characters.append(Named(character, COPY, box=place))
    tags = FrameTag.objects.filter(frame__in=frames, tag__category=TagCategory.CHARACTER).order_by("-score", "pk")
    columns = ("frame_id", "tag__name", "state", "by_person", "score", "model_version__name")
    for frame, name, state, by_person, score, version in tags.values_list(*columns):
        words = words_by_frame.setdefault(frame, Words())
        if state == TagState.NO:
            words.denied.add(name)
        elif by_person:
            words.names.append(Word(name, TAG))
        elif version not in NOT_TAGGERS:
            words.names.append(Word(name, TAGGER, score=score))
    people = FrameCharacter.objects.filter(frame__in=frames, origin=PERSON)
    for frame, character, state in people.values_list("frame_id", "character_id", "state"):
        if state == TagState.YES:
            words_by_frame.setdefault(frame, Words()).characters.append(Named(character, PERSON))
    return words_by_frame


def denied_of(frames: Iterable[int]) -> dict[int, set[int]]:
    """The characters that people said are not on frames, by frame key."""
    denied: dict[int, set[int]] = {}
    rows = FrameCharacter.objects.filter(frame__in=list(frames), origin=PERSON, state=TagState.NO)
    for frame, character in rows.values_list("frame_id", "character_id"):
        denied.setdefault(frame, set()).add(character)
    return denied


def resolved(
    words: Words, find: Callable[[Word], int | None], *, parents: dict[int, int], denied: set[int]
) -> list[Named]:
    """The evidence of a frame as `ranked` gives it. `find` gives the key of the character that a word means."""
    names = list(words.characters)
    for word in words.names:
        if word.name.lower() in words.denied:
            continue
        character = find(word)
        if character is not None:
            names.append(Named(character, word.origin, word.score, word.box))
    return ranked((name for name in names if name.character not in denied), parents=parents)
