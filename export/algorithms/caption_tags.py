"""Selection and order of a caption's tags: the reference's drop rules, applied to complete words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ingest.algorithms.normal_form import normal
from ingest.algorithms.tag_words import spaced

# Words begin at the start of the tag, after an underscore or a space: "chair" holds no hair, "bunny" no bun.
_HAIR = re.compile(r"(?:^|[_ -])(?:hair|ponytail|twintail|braid|bangs|ahoge|buns?(?:$|[_ -]))")
_EYES = re.compile(r"(?:^|[_ -])eyes(?:$|[_ -])")
# Complete count tags: "cowboy_shot" and "magical_girl" do not count people.
_PEOPLE = re.compile(r"\d\+?(?:girl|boy|other)s?|multiple_(?:girls|boys|others)|solo(?:_focus)?")
# Nouns of Danbooru's "Attire" group: a tag is about clothes when its last word before a bracket is one of these.
ATTIRE = frozenset(
    """
    apron armband armlet armor armwear ascot bandana bandeau bathrobe beanie belt beret bikini blazer bloomers
    blouse bodysuit bolero bonnet boots bow bowtie bra bracelet bracer braces breastplate briefs brooch buruma
    cape capelet cap cardigan chemise choker cloak clothes coat collar corset cravat crown cuffs detached_sleeves
    dress dirndl earrings earphones epaulettes eyepatch eyewear fedora flats footwear frills fundoshi gakuran
    garter garters gauntlets glasses gloves goggles gown greaves gym_uniform hakama haori hat headband headdress
    headgear headphones headwear helmet heels hood hoodie hairband hairclip hairpin hair_bow hair_ornament
    hair_ribbon jacket jeans jewelry jumpsuit kariginu kimono kneehighs labcoat lapels leggings legwear leotard
    lingerie loafers mask mittens miniskirt mob_cap monocle necklace neckerchief necktie nightgown obi overalls
    overcoat pajamas panties pants pantyhose pasties pauldrons pendant petticoat pinafore pinafore_dress pocket
    poncho ponytail_holder raincoat ribbon ring robe romper ruffles sandals santa_costume sarong sash scarf
    school_uniform scrunchie serafuku shawl shirt shoes shorts shoulder_pads shrug skirt sleeves slippers
    sleepwear sneakers socks sundress sunglasses suspenders swimsuit sweater sweatshirt tabard tabi tank_top
    tailcoat thighhighs tiara tie tights toga top track_jacket track_suit trousers tunic turtleneck tuxedo
    underwear undershirt uniform veil vest waistcoat wetsuit wristband wristwatch yukata zettai_ryouiki zouri
    costume suit outfit camisole sweatpants tracksuit bodystocking waist_apron
    """.split()  # noqa: SIM905
)


def display_name(name: str, *, spaces: bool) -> str:
    """Format a tag or name for a caption as `display_text`, without commas, which would make it two tags."""
    return display_text(name.replace(",", " "), spaces=spaces)


def display_text(text: str, *, spaces: bool) -> str:
    """Format a text for a caption: one line; with `spaces`, underscores become spaces, except in kaomoji."""
    line = " ".join(text.split())
    return spaced(line) if spaces else line


def is_people(tag: str) -> bool:
    """Return whether a tag counts people (`2girls`, `multiple_boys`, `solo`): these come first and are never
    dropped."""
    return _PEOPLE.fullmatch(tag.replace(" ", "_")) is not None


def is_hair(tag: str) -> bool:
    """Return whether a tag is about hair (reference `--drop_hair_tag`)."""
    return _HAIR.search(tag) is not None


def is_eyes(tag: str) -> bool:
    """Return whether a tag is about eyes (reference `--drop_eye_tag`)."""
    return _EYES.search(tag) is not None


def is_outfit(tag: str) -> bool:
    """Return whether a tag is about clothes, by its last one or two words (`red_skirt`, `hair_ornament`)."""
    words = tag.replace(" ", "_").split("_(")[0].split("_")
    return words[-1] in ATTIRE or "_".join(words[-2:]) in ATTIRE or "sleeves" in words


def is_blocked(tag: str, blacklist: Sequence[str]) -> bool:
    """Return whether a blacklist entry matches: complete words of the tag, or the full tag if the entry has a `*`.

    Case is ignored, and spaces equal underscores; `*` is the only wildcard.
    """
    return any(_matches(entry, tag) if "*" in entry else _words(entry) in _words(tag) for entry in blacklist)


def _matches(entry: str, tag: str) -> bool:
    """Return whether a full tag matches an entry with `*` wildcards. Not by `re`, which takes exponential time on
    many."""
    first, *between, last = _one_spelling(entry).split("*")
    text = _one_spelling(tag)
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    start, end = len(first), len(text) - len(last)
    for part in between:  # the earliest match is the best: it leaves most for later parts
        start = text.find(part, start, end)
        if start < 0:
            return False
        start += len(part)
    return True


def _one_spelling(text: str) -> str:
    return re.sub(r"[\s_]+", "_", normal(text).strip().casefold())


@lru_cache(maxsize=100_000)
def _words(text: str) -> str:
    """Normalise a tag to words between underscores: `slime (substance)` becomes `_slime_substance_`."""
    return "_" + "_".join(re.split(r"[_()\s]+", _one_spelling(text).strip("_()"))) + "_"
