"""How a measurement tells how far it is, and hears that it is to stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Each method may raise to stop the work: cancelled, or taken over by another worker."""

    def expect(self, pictures: int) -> None:
        """So many more pictures are to be read."""

    def step(self) -> None:
        """Before each picture."""

    def alive(self) -> None:
        """Between the parts of long thinking."""


class Silent:
    """Nobody watches: a command line."""

    def expect(self, pictures: int) -> None:
        """Nothing to tell."""

    def step(self) -> None:
        """Nothing to tell."""

    def alive(self) -> None:
        """Nothing to tell."""
