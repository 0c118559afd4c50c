"""Translate the frames page's query to a QuerySet, field by field: no user-supplied name reaches the ORM."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import zip_longest
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.algorithms.completion import INSIDE_MIN
from annotate.algorithms.query import (
    KEYS,
    WORDS_MAX,
    QueryError,
    Term,
    bare_words,
    joined,
    name_key,
    named,
    number,
    parse,
    pattern,
    spellings,
)
from annotate.models import (
    Character,
    CharacterAlias,
    Face,
    FaceState,
    FileCaption,
    FrameCharacter,
    FrameTag,
    ModelCaption,
    Tag,
    TagCount,
    TagState,
)
from ingest.algorithms.tag_words import spaced
from ingest.models import Collection, DropReason, Frame, FrameState
from ingest.params import as_int

COUNT_MAX = 5_000  # counting further costs more than it tells: shown as "5,000+"
HITS_MAX = 5_000  # keys that are passed on; with more matches, the walk in page order is short
RARE_TAG_FRAMES = 150_000  # index entries: read within some tens of milliseconds
SIMILAR_MAX = 6  # tags that a message proposes
COMPARED_MAX = 2_000  # tags whose spelling is compared with a word that is none: 20 ms
WORD_LIKENESS = 0.7  # of two words, of difflib's 1: one letter of four differs, or two are swapped
LOOKUPS = {"=": "exact", ">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
IS_VALUES = ("named", "unnamed", "excluded", "decided", "captioned", "described", "filecaptioned", "unread", "untagged")


def terms_of(collection: Collection, text: str) -> list[Term]:
    """The terms of a query. Words that are a tag of the collection together are one term: blue hair is blue_hair.
    Where bare words are no tag, but the name or alias of a character, they mean the character.

    Raises QueryError. At most four small queries for names, none where every term has its filter.
    """
    terms = parse(text)
    names = spellings(terms) | bare_words(terms)
    if not names:
        return terms
    visible = Tag.objects.visible_in(collection.pk)
    tags = set(visible.filter(name__in=names).values_list("name", flat=True))
    tags |= set(visible.filter(aliases__name__in=names).values_list("aliases__name", flat=True))
    result = joined(terms, tags)
    if all(name_key(term.value) in tags for term in result if term.is_bare):
        return result
    characters = _characters(collection)
    return named(joined(terms, tags | characters.keys()), tags, characters)


def _characters(collection: Collection) -> dict[str, str]:
    """Return each name and alias of the cast by its `name_key`."""
    names = Character.objects.filter(collection=collection).values_list("name", flat=True)
    aliases = CharacterAlias.objects.filter(collection=collection).values_list("name", flat=True)
    return {name_key(name): name for name in (*aliases, *names)}


def frames(collection: Collection, terms: list[Term]) -> QuerySet[Frame]:
    """Return the collection's frames that match all terms, by episode and time; kept ones unless `state:` says
    otherwise.

    Raises QueryError with a message for the user. Runs a few small queries for names; the QuerySet itself is lazy.
    """
    rows = Frame.objects.filter(collection=collection)
    if not any(term.key in ("state", "reason", "like") for term in terms):
        rows = rows.kept()
    together = [term for term in terms if term.key == "tag" and not term.negative and pattern(term.value) is None]
    if len(together) > 1 and (narrowed := _all_tags(collection, together)) is not None:
        rows = rows.filter(narrowed)
        terms = [term for term in terms if term not in together]
    for term in terms:
        condition = _CONDITIONS[term.key](collection, term.value)
        rows = rows.exclude(condition) if term.negative else rows.filter(condition)
    return rows


def _episode(collection: Collection, value: str) -> Q:
    matches = [
        e.pk
        for e in collection.episodes.all()
        if value.casefold() in (e.label.casefold(), e.title.casefold(), str(e.pk))
    ]
    if not matches:
        raise QueryError(f"There is no episode {value!r} here.")
    return Q(episode_id__in=matches)


def _shot(collection: Collection, value: str) -> Q:
    sign, n = number(value)
    return Q(**{f"shot__index__{LOOKUPS[sign]}": n})


def _character(collection: Collection, value: str) -> Q:
    # No condition on the collection: frame and character belong to it, and the index alone answers.
    real = Face.objects.filter(frame=OuterRef("pk"), state=FaceState.FACE)
    in_picture = FrameCharacter.objects.filter(frame=OuterRef("pk"), state=TagState.YES)
    if value == "unnamed":
        return Q(Exists(real.filter(character__isnull=True)))
    if value == "none":
        return ~Q(Exists(real.filter(character__isnull=False))) & ~Q(Exists(in_picture))
    names = Character.objects.filter(collection=collection)
    characters = set(names.filter(name__iexact=value).values_list("pk", flat=True))
    characters |= set(
        CharacterAlias.objects.filter(collection=collection, name__iexact=value).values_list("character", flat=True)
    )
    if not characters:
        raise QueryError(f"There is no character {value!r} here.")
    characters |= set(names.filter(parent_id__in=characters).values_list("pk", flat=True))
    by_face = Q(Exists(real.filter(character_id__in=characters)))
    # Queried first: an OR of the two conditions would use no index.
    if not FrameCharacter.objects.filter(character_id__in=characters, state=TagState.YES).exists():
        return by_face
    return by_face | Q(Exists(in_picture.filter(character_id__in=characters)))


def _tag(collection: Collection, value: str) -> Q:
    of_frame = FrameTag.objects.filter(frame=OuterRef("pk"), state=TagState.YES)
    if (wanted := pattern(value)) is None:
        return Q(Exists(of_frame.filter(tag_id=_tag_key(collection, value))))
    keys = [key for key, name in _tags_here(collection) if wanted.fullmatch(name)]
    if not keys:
        raise QueryError(f"No tag of this collection matches {value!r}.")
    return Q(Exists(of_frame.filter(tag_id__in=keys)))


def _tags_here(collection: Collection) -> list[tuple[int, str]]:
    """Return the key and the name of every tag on frames of the collection, the most frequent first."""
    counts = TagCount.objects.filter(collection_id=collection.pk, state=TagState.YES, n__gt=0)
    frames_by_tag = dict(counts.values_list("tag_id", "n"))
    names = Tag.objects.filter(pk__in=counts.values("tag_id")).values_list("pk", "name")
    return sorted(names, key=lambda tag: (-frames_by_tag.get(tag[0], 0), tag[1]))


def _tag_key(collection: Collection, value: str) -> int:
    name = value.lower().replace(" ", "_")
    visible = Tag.objects.visible_in(collection.pk)  # a tag of another collection must not be revealed here
    tag = visible.filter(name=name).values_list("pk", flat=True).first()
    if tag is None:
        tag = visible.filter(aliases__name=name).values_list("pk", flat=True).first()
    if tag is None:
        head, colon, _ = value.partition(":")
        if colon and head.isidentifier():
            filters = ", ".join(f"{key}:" for key in KEYS)
            raise QueryError(f"There is no filter {head}: and no tag {value!r}. Filters are {filters}")
        similar = ", ".join(map(spaced, _similar_tags(collection, name)))
        raise QueryError(f"There is no tag {value!r}." + (f" Similar tags: {similar}." if similar else ""))
    return tag


def _similar_tags(collection: Collection, name: str) -> list[str]:
    """Return up to SIMILAR_MAX tags on frames of the collection that hold the name, are spelled almost like it, or have
    words that are spelled almost like its words.
    """
    names = [here for _, here in _tags_here(collection)]
    holding = [here for here in names if len(name) >= INSIDE_MIN and name in here]
    compared = names[:COMPARED_MAX]
    misspelled = get_close_matches(name, compared, n=SIMILAR_MAX)
    pairs = zip_longest(misspelled, _with_similar_words(compared, name))
    similar = [here for pair in pairs for here in pair if here is not None]
    return list(dict.fromkeys(holding + similar))[:SIMILAR_MAX]


def _with_similar_words(names: list[str], name: str) -> list[str]:
    """Return those of the names that have a word like each word of `name`: grey_hair for gray, and for gray_hiar."""
    words_by_name = {here: set(here.split("_")) for here in names}
    vocabulary = sorted(set().union(*words_by_name.values()))
    similar = [
        set(get_close_matches(word, vocabulary, cutoff=WORD_LIKENESS)) for word in name.split("_")[:WORDS_MAX] if word
    ]
    return [here for here, words in words_by_name.items() if similar and all(words & some for some in similar)]


def _all_tags(collection: Collection, terms: list[Term]) -> Q | None:
    """Return the frames with all of the tags, selected among those of the rarest one; None where it has too many.

    A database that walks frames in page order reads thousands of rows for a page with few matches. So where few frames
    have all tags, their keys are queried first; where many have them, the walk is short.
    """
    keys = [_tag_key(collection, term.value) for term in terms]
    counts = TagCount.objects.filter(collection_id=collection.pk, tag_id__in=keys, state=TagState.YES)
    frames_by_tag = dict(counts.values_list("tag_id", "n"))
    keys.sort(key=lambda key: frames_by_tag.get(key, 0))
    if frames_by_tag.get(keys[0], 0) > RARE_TAG_FRAMES:
        return None
    matching = FrameTag.objects.filter(tag_id=keys[0], state=TagState.YES)
    for key in keys[1:]:
        other = FrameTag.objects.filter(frame=OuterRef("frame"), tag_id=key, state=TagState.YES)
        matching = matching.filter(Exists(other))
    hits = list(matching.values_list("frame", flat=True)[: HITS_MAX + 1])
    return Q(pk__in=hits) if len(hits) <= HITS_MAX else None


def _state(collection: Collection, value: str) -> Q:
    if value == "all":
        return Q()
    if value not in FrameState.values:
        raise QueryError(f"state: is kept, dropped or all, not {value!r}.")
    return Q(state=value)


def _reason(collection: Collection, value: str) -> Q:
    meant = reasons_meant(value)
    if len(meant) != 1:
        raise QueryError(f"reason: is one of {', '.join(DropReason.values)}, not {value!r}.")
    return Q(state=FrameState.DROPPED, reason=meant[0])


def reasons_meant(text: str, *, begun: bool = False) -> list[str]:
    """Return the reason of this name, else those in whose words (as pages write them) it stands; with `begun`, also as
    the beginning of a name or of a word.
    """
    said = text.casefold().replace("_", " ").strip()
    if not begun and (said in DropReason.values or not said):
        return [said] if said else []
    if said in FrameState.values:  # "kept" is a word of one, but means something else
        return []
    end = "" if begun else " "
    return [
        reason
        for reason, label in DropReason.choices
        if f" {said}{end}" in f" {str(label).casefold()} " or (begun and reason.startswith(said))
    ]


def _faces(collection: Collection, value: str) -> Q:
    sign, n = number(value)
    return Q(**{f"face_count__{LOOKUPS[sign]}": n})


def _score(collection: Collection, value: str) -> Q:
    sign, n = number(value)
    return Q(**{f"file_facts__score__{LOOKUPS[sign]}": n})


def _like(collection: Collection, value: str) -> Q:
    _, n = number(value)
    kept_pk = Frame.objects.filter(collection=collection, pk=n).values_list("duplicate_of_id", flat=True).first() or n
    return Q(pk=kept_pk) | Q(duplicate_of_id=kept_pk)


def _is(collection: Collection, value: str) -> Q:
    real = Face.objects.filter(frame=OuterRef("pk"), state=FaceState.FACE)
    conditions: dict[str, Any] = {
        "named": Exists(real.filter(character__isnull=False)),
        "unnamed": Exists(real.filter(character__isnull=True)),
        "excluded": Q(excluded=True),
        "decided": Q(decided=True),
        "captioned": Q(caption__isnull=False),
        "filecaptioned": Exists(FileCaption.objects.filter(frame=OuterRef("pk"))),
        "unread": Q(file_facts__isnull=False) & ~Q(file_facts__left=[]),
        "described": Exists(ModelCaption.objects.filter(frame=OuterRef("pk"))),
        "untagged": Q(tagged=False),
    }
    if value not in conditions:
        raise QueryError(f"is: is one of {', '.join(IS_VALUES)}, not {value!r}.")
    return Q(conditions[value])


_CONDITIONS = {
    "episode": _episode, "shot": _shot, "character": _character, "tag": _tag, "state": _state, "reason": _reason,
    "faces": _faces, "score": _score, "like": _like, "is": _is,
}  # fmt: skip


def after(rows: QuerySet[Frame], position: str) -> QuerySet[Frame]:
    """Return the rows after a page mark `episode.index` in page order; all rows for an empty or invalid mark."""
    if (place := _place(position)) is None:
        return rows
    episode, index = place
    # The last condition follows from the first, and lets an index begin at the episode.
    return rows.filter(Q(episode_id__gt=episode) | Q(episode_id=episode, index__gt=index), episode_id__gte=episode)


def before(rows: QuerySet[Frame], position: str) -> QuerySet[Frame]:
    """Return the rows before a page mark; none for an empty or invalid one."""
    if (place := _place(position)) is None:
        return rows.none()
    episode, index = place
    return rows.filter(Q(episode_id__lt=episode) | Q(episode_id=episode, index__lt=index), episode_id__lte=episode)


def _place(position: str) -> tuple[int, int] | None:
    episode, _, index = position.partition(".")
    e, i = as_int(episode), as_int(index)
    return None if e is None or i is None else (e, i)
