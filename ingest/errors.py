"""The exceptions whose text is meant for the person at the screen; every app raises these or subclasses of them."""

from __future__ import annotations


class KomaError(Exception):
    """Something a person can act on: says what happened, to which file or row, and what to do.

    `permanent` is False where trying again later can help (Redis gone, disk full, a locked database).
    """

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class Conflict(KomaError):
    """Somebody else changed the same thing in between; nothing was written."""


class Stale(Conflict):
    """Somebody changed what a form replaces after its page was made; both answers are there to choose from.

    `stored` and `sent` are pairs of a label and a text. `resend` holds the fields that make the form valid again for
    whoever has seen both; `address` is where it goes then, empty for the same address.
    """

    def __init__(
        self,
        message: str,
        *,
        stored: list[tuple[str, str]],
        sent: list[tuple[str, str]],
        resend: dict[str, list[str]],
        address: str = "",
    ) -> None:
        super().__init__(message)
        self.stored, self.sent, self.resend, self.address = stored, sent, resend, address


class BadInput(KomaError):
    """A file or a value from outside cannot be used."""


class Cancelled(KomaError):
    """The run was cancelled; what was saved so far stays."""


class LostClaim(KomaError):
    """Another worker took this stage over (our heartbeat was too old); this one must stop without writing."""
