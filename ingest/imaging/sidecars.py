"""Which files lie beside a picture, and what they say together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from ingest.imaging.side_json import parse_json, parse_toml
from ingest.imaging.side_text import Known, SideFacts, clean, merged, parse_text

logger = logging.getLogger(__name__)

TEXT_BYTES_MAX = 1 << 20
FILES_MAX = 8  # beside one picture
SIDE_ENDINGS = frozenset(
    {"json", "toml", "tags", "tag", "processed_tags", "characters", "subjects", "txt", "caption", "cap"}
)
# Written by Koma for a whole folder.
OF_FOLDERS = frozenset({"multiply.txt", "dataset.json"})
_STRUCTURED = ("json", "facedata.json", "toml")
_TAGS = ("tags", "tag", "processed_tags")
_NAMES = ("characters", "subjects")
_LOOSE = ("txt", "caption", "cap")  # tags where nothing above has any, else only their sentences count


def is_side_file(name: str) -> bool:
    """Whether a file may lie beside a picture, by the name of the file without folders."""
    ending = name.rpartition(".")[2].lower()
    return ending in SIDE_ENDINGS and (not name.startswith(".") or name.lower().endswith("_meta.json"))


class SideFiles:
    """Finds the files beside pictures among many names, whatever the case of their letters."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = {}
        for name in names:
            self._by_name.setdefault(name.casefold(), []).append(name)
        self._claimed: set[str] = set()

    def of(self, picture: str) -> list[str]:
        """The files beside a picture, those that say most clearly what they mean first; FILES_MAX at most."""
        folder, slash, name = picture.rpartition("/")
        stem = name.rpartition(".")[0] or name
        candidates = [f"{base}.{ending}" for ending in ("json",) for base in (name, stem)]
        candidates += [f".{stem}_meta.json", f"{stem}_meta.json"]  # an upload gives no name that begins with a dot
        rest = (*_STRUCTURED[1:], *_TAGS, *_NAMES, *_LOOSE)
        candidates += [f"{base}.{ending}" for ending in rest for base in (name, stem)]
        names: list[str] = []
        for candidate in candidates:
            names += self._by_name.get(f"{folder}{slash}{candidate}".casefold(), [])
        self._claimed.update(names)
        return names[:FILES_MAX]

    def unclaimed(self) -> list[str]:
        """Files that lay beside no picture that was asked for, but those that speak of folders."""
        names = (name for names in self._by_name.values() for name in names)
        return sorted(
            name for name in names if name not in self._claimed and name.rpartition("/")[2].lower() not in OF_FOLDERS
        )


def parse_side_files(files: Sequence[tuple[str, bytes]], known: Known | None = None) -> SideFacts:
    """What the files beside a picture say together, in their order (as `SideFiles.of` gives them). It never raises.

    Texts that hold tags again where another file told them before are kept as left over, with the reason; so is a file
    that cannot be read. `known` asks a vocabulary which of some spellings it has.
    """
    parts: list[SideFacts] = []
    tags_of = ""
    for name, data in files:
        facts, ending = parse_side_file(name, data, known), _ending(name)
        short = name.rpartition("/")[2]
        if ending in _LOOSE and tags_of and facts.has_tags:
            facts = SideFacts(
                captions=facts.captions, rating=facts.rating, score=facts.score,
                left=(*facts.left, f"{short}: tags not read, since {tags_of} tells them"),
            )  # fmt: skip
        elif ending not in _NAMES and facts.has_tags:
            tags_of = tags_of or short
        parts.append(facts)
    return merged(parts)


def parse_side_file(name: str, data: bytes, known: Known | None = None) -> SideFacts:
    """What one file says. It never raises; what cannot be read is told in `left`."""
    short, ending = name.rpartition("/")[2], _ending(name)
    cut = len(data) > TEXT_BYTES_MAX
    try:
        text = decoded(data)
        if ending in _STRUCTURED:
            facts = (parse_toml if ending == "toml" else parse_json)(text, known)
        elif ending in _NAMES:
            names = [clean(part) for line in text.splitlines() for part in line.replace(";", ",").split(",")]
            facts = parse_text(f"character: {', '.join(filter(None, names))}") if any(names) else SideFacts()
        else:
            facts = _json_or_text(text, known)
    except ValueError as error:
        facts = SideFacts(left=(f"{short}: {error}",))
    except Exception as error:  # one file that nobody foresaw must not stop the stage for all pictures
        logger.warning("a file beside a picture was not understood: %s", clean(short), exc_info=True)
        facts = SideFacts(left=(f"{short}: it was not understood ({type(error).__name__})",))
    if cut:
        facts.left = (*facts.left, f"{short}: only its first {TEXT_BYTES_MAX:,} bytes were read")
    return facts


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, else Japanese Windows."""
    data = data[:TEXT_BYTES_MAX]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _json_or_text(text: str, known: Known | None) -> SideFacts:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(text, known)
        except ValueError:
            pass
    return parse_text(text, known)


def _ending(name: str) -> str:
    lower = name.lower()
    return "facedata.json" if lower.endswith(".facedata.json") else lower.rpartition(".")[2]
