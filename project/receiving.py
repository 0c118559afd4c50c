"""Limits the size of uploaded files before a byte is stored."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadhandler import FileUploadHandler
from django.db import DatabaseError, close_old_connections
from django.http import parse_cookie
from django.http.multipartparser import MultiPartParserError

from ingest import humane

logger = logging.getLogger(__name__)

STRANGER_MAX = 1 << 20  # bytes of a form by somebody who is not logged in: a name and a password
FIELDS_MAX = 1 << 20  # bytes of all that is no file


def is_known(cookies: str) -> bool:
    """Whether the header Cookie has the session of a logged-in person. One query; False where that fails."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    if not key:
        return False
    try:
        close_old_connections()
        return SESSION_KEY in SessionStore(key).load()
    except DatabaseError:
        logger.warning("Whose request this is could not be looked up", exc_info=True)
        return False


class BoundedUpload(FileUploadHandler):
    """Comes before the handlers that store files. The CSRF check reads the form before any view checks the user, so
    without this anybody could fill the disk."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Raises MultiPartParserError, a 400, for more than the sender may upload."""
        known = SESSION_KEY in getattr(self.request, "session", {})
        limit = settings.KOMA_UPLOAD_MAX_BYTES + FIELDS_MAX if known else STRANGER_MAX
        if content_length > limit:
            who = "" if known else " from those who are not logged in"
            raise MultiPartParserError(
                f"This form is {humane.filesize(content_length)}; at most {humane.filesize(limit)} is accepted{who}. "
                "Nothing was saved."
            )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass the data on to the next handler."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""
