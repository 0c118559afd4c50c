"""Bounds what a form may bring as files before a byte of it is kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParserError

STRANGER_MAX = 1 << 20  # bytes of a form by somebody who is not logged in: a name and a password
FIELDS_MAX = 1 << 20  # bytes of all that is no file


class BoundedUpload(FileUploadHandler):
    """Stands before those that keep files. The CSRF check reads the form before any view asks who sends it, so without
    this anybody could fill the disk."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """MultiPartParserError, which is answered by 400, for more than the sender may bring."""
        known = SESSION_KEY in getattr(self.request, "session", {})
        most = settings.KOMA_UPLOAD_MAX_BYTES + FIELDS_MAX if known else STRANGER_MAX
        if content_length > most:
            who = "" if known else " from those who are not logged in"
            raise MultiPartParserError(
                f"This form has {content_length:,} bytes; at most {most:,} are taken{who}. Nothing was taken."
            )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """On to the next handler."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """The next handler has the file."""
