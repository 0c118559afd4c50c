"""Progress reports of a measurement, and requests to stop it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Each method may raise to stop the measurement: cancelled, or taken over by another worker."""

    def expect(self, pictures: int) -> None:
        """Add to the number of pictures to be read."""

    def step(self, count: int = 1) -> None:
        """Report a picture before it is read, or `count` at once."""

    def alive(self) -> None:
        """Report between the parts of a long computation."""


class Silent:
    """Reports nothing, for the command line."""

    def expect(self, pictures: int) -> None:
        """Do nothing."""

    def step(self, count: int = 1) -> None:
        """Do nothing."""

    def alive(self) -> None:
        """Do nothing."""
