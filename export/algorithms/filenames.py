"""Folder and file names that are safe on every system: never outside the folder, never colliding."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field

from ingest.algorithms.normal_form import normal

NAME_BYTES_MAX = 100  # UTF-8 bytes of one folder or file name without its ending; the reference's limit
SHORT_STEM_BYTES = 24
PART, REPLACED = "part", "replaced"  # endings of a ZIP being packed, and of a folder being replaced
JOINER = "+"  # joins the names of a combination
JOINER_IN_NAME = "\uff0b"  # a plus inside a name becomes the full-width plus, so that A+B stays one name
_ILLEGAL = frozenset('<>:"/\\|?*')
_WINDOWS = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{kind}{digit}" for kind in ("com", "lpt") for digit in "0123456789¹²³"]
)
# Stems that trainers read as folder settings; a picture of that name would hide them.
_SETTINGS_STEMS = frozenset(
    ["multiply", "cond_dropout", "flip_p", "local", "global", "batch_id", "loss_scale", "shuffle_tags", "dataset"]
)
_JOINING = frozenset("\u200d\ufe0e\ufe0f")  # parts of an emoji, harmless


def safe_name(name: str, *, limit_bytes: int = NAME_BYTES_MAX) -> str:
    """Convert any text to a single path component: NFC, no separators, control or bidi marks, not reserved, not empty.

    Too long names are cut between characters and end in `~` and eight digits of their hash, so that two long names
    with the same beginning stay different.
    """
    text = normal(name)
    text = "".join(_safe_character(char) for char in text)
    text = " ".join(text.split()).rstrip(". ")
    if text.startswith("."):
        text = "_" + text.lstrip(".")
    if text.split(".", 1)[0].rstrip(" ").casefold() in _WINDOWS:
        text = "_" + text
    text = text or "_"
    if len(text.encode()) <= limit_bytes:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cut_name(text, limit_bytes - 9)}~{digest}"


def short_stem(name: str) -> str:
    """Return the end of a picture's name, which holds its episode and number, in at most SHORT_STEM_BYTES."""
    data = normal(name).encode("utf-8", "replace")
    return data[-SHORT_STEM_BYTES:].decode("utf-8", "ignore").lstrip("_ .") or "_"


def unfinished_name(name: str, ending: str) -> str:
    """Return the hidden name, beside `name`, of what is not in place yet; `name` may be long, its end is kept."""
    return f".{name[-80:]}.{ending}"


def same_name_key(name: str) -> str:
    """Return a key that is equal for names that a file system ignoring case or normal form treats as equal."""
    return normal(normal(name, "NFD").casefold())


@dataclass(slots=True)
class Names:
    """Assigns names that are unique in their folder, also if case is ignored.

    The same requests in the same order give the same names.
    """

    _taken: dict[tuple[str, ...], set[str]] = field(default_factory=dict)
    _last: dict[tuple[tuple[str, ...], str], int] = field(default_factory=dict)  # last number per requested name
    _assigned: dict[tuple[tuple[str, ...], str], str] = field(default_factory=dict)

    def folder(self, parent: tuple[str, ...], name: str, *, limit_bytes: int = NAME_BYTES_MAX) -> str:
        """Return the name for the folder `name` in `parent`: equal requests get equal names, others different ones."""
        known = self._assigned.get((parent, name))
        if known is None:
            wish = safe_name(name, limit_bytes=limit_bytes)
            known = self._assigned[(parent, name)] = self._claim(parent, wish, limit_bytes)
        return known

    def stem(self, name: str) -> str:
        """Return a file name without extension, unique in the dataset, never that of a trainer's settings file."""
        wish = safe_name(name).replace(".", "_")
        if same_name_key(wish) in _SETTINGS_STEMS:
            wish += "_"
        return self._claim(("", "stems"), wish)

    def _claim(self, parent: tuple[str, ...], wish: str, limit_bytes: int = NAME_BYTES_MAX) -> str:
        place = tuple(same_name_key(part) for part in parent)
        taken = self._taken.setdefault(place, set())
        key = (place, same_name_key(wish))
        name, number = wish, self._last.get(key, 1)
        while same_name_key(name) in taken:
            number += 1
            ending = f"~{number}"
            name = cut_name(wish, limit_bytes - len(ending)) + ending
        self._last[key] = number
        taken.add(same_name_key(name))
        return name


def _safe_character(char: str) -> str:
    if char in _ILLEGAL:
        return "_"
    if char in _JOINING:
        return char
    if char in "\t\n\r":
        return " "
    category = unicodedata.category(char)
    if category == "Cf":  # bidi overrides, zero-width marks: invisible, and they make one name look like another
        return ""
    return "_" if category in ("Cc", "Cs", "Cn") else char


def cut_name(text: str, limit_bytes: int) -> str:
    """Truncate a safe name to at most `limit_bytes` UTF-8 bytes, between characters; never empty."""
    return text.encode()[: max(1, limit_bytes)].decode("utf-8", "ignore").rstrip(". ") or "_"
