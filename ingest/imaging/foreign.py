"""Identifies files that only pretend to be pictures, by their first bytes."""

from __future__ import annotations

import re

HEAD_BYTES = 1024
_SVG = re.compile(rb"(?:<!doctype svg[^>]*>\s*)?<svg[\s>]", re.IGNORECASE)
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script)[\s>]", re.IGNORECASE)
_BINARY = (
    (re.compile(rb"PK\x03\x04"), "a zip archive"),
    (re.compile(rb"Rar!|7z\xbc\xaf|\x1f\x8b"), "an archive"),
    (re.compile(rb"%PDF"), "a PDF"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"\x1aE\xdf\xa3|.{4}ftyp(?!avi[fs]|mi[fa][1f]|msf1|hei[cxms]|hev[cxms])", re.DOTALL), "a video"),
)


def foreign_kind(data: bytes) -> str | None:
    """The kind of a drawing, page, archive, document or video ("an SVG drawing"); None for possible pictures."""
    first_bytes = data[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    for pattern, what in _BINARY:
        if pattern.match(first_bytes):
            return what
    root = _behind_comments(first_bytes)
    if _SVG.match(root):
        return "an SVG drawing"
    return "a web page" if _PAGE.match(root) else None


def _behind_comments(first_bytes: bytes) -> bytes:
    """XML from its first element on. A single pattern would take exponential time for many comments."""
    root = first_bytes.lstrip()
    if root[:5].lower() == b"<?xml":
        root = root.partition(b">")[2].lstrip()
    while root.startswith(b"<!--"):
        root = root[4:].partition(b"-->")[2].lstrip()
    return root
