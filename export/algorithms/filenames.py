"""Names of folders and files that are safe on every system: never outside the folder, never one over another."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, field

from ingest.algorithms.normal_form import normal

NAME_BYTES_MAX = 100  # UTF-8 bytes of one folder or file name without its ending; the reference's limit
SHORT_STEM_BYTES = 24
JOINER = "+"  # joins the names of a combination
JOINER_IN_NAME = "\uff0b"  # a plus inside a name becomes the full-width plus, so that A+B stays one name
_ILLEGAL = frozenset('<>:"/\\|?*')
_WINDOWS = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{kind}{digit}" for kind in ("com", "lpt") for digit in "0123456789¹²³"]
)
# Stems that trainers read as settings of the folder; a picture called so would hide them.
_SETTINGS_STEMS = frozenset(
    ["multiply", "cond_dropout", "flip_p", "local", "global", "batch_id", "loss_scale", "shuffle_tags", "dataset"]
)
_JOINING = frozenset("\u200d\ufe0e\ufe0f")  # parts of an emoji, harmless


def safe_name(name: str, *, limit_bytes: int = NAME_BYTES_MAX) -> str:
    """A single path component made from any text: NFC, no separators, control or bidi marks, not reserved, not empty.

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
    """The end of a picture's name, where its episode and number stand, in at most SHORT_STEM_BYTES."""
    data = normal(name).encode("utf-8", "replace")
    return data[-SHORT_STEM_BYTES:].decode("utf-8", "ignore").lstrip("_ .") or "_"


def same_name_key(name: str) -> str:
    """Key under which a file system that ignores case or normal form sees two names as one."""
    return normal(normal(name, "NFD").casefold())


@dataclass(slots=True)
class Names:
    """Gives out names that are unique in their folder, also where case does not count.

    The same requests in the same order give the same names.
    """

    _taken: dict[tuple[str, ...], set[str]] = field(default_factory=dict)
    _last: dict[tuple[tuple[str, ...], str], int] = field(default_factory=dict)  # number given last to a wish
    _assigned: dict[tuple[tuple[str, ...], str], str] = field(default_factory=dict)

    def folder(self, parent: tuple[str, ...], name: str, *, limit_bytes: int = NAME_BYTES_MAX) -> str:
        """Name for the folder `name` in `parent`: the same wish gets the same folder, another wish another."""
        known = self._assigned.get((parent, name))
        if known is None:
            wish = safe_name(name, limit_bytes=limit_bytes)
            known = self._assigned[(parent, name)] = self._claim(parent, wish, limit_bytes)
        return known

    def stem(self, name: str) -> str:
        """A file name without ending, unique in the whole dataset, never the name of a trainer's settings file."""
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
    category = unicodedata.category(char)
    if category in ("Zl", "Zp", "Zs") or char in "\t\n\r":
        return " "
    if category == "Cf":  # bidi overrides, zero-width marks: invisible, and they make one name look like another
        return ""
    return "_" if category in ("Cc", "Cs", "Cn") else char


def cut_name(text: str, limit_bytes: int) -> str:
    """The beginning of a safe name in at most so many UTF-8 bytes, cut between characters; never empty."""
    return text.encode()[: max(1, limit_bytes)].decode("utf-8", "ignore").rstrip(". ") or "_"
