"""Agreement of two raters with yes/no decisions: counts by label, positive agreement, Cohen's kappa. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `asked` questions about one label: yes by both, by the first only, by the second only; the rest neither."""

    both: int
    only_first: int
    only_second: int
    frames: int

    @property
    def disagreed(self) -> int:
        return self.only_first + self.only_second

    @property
    def share(self) -> float:
        """Positive agreement (Jaccard): the share of labels given by both among those given by either; 1.0 without
        any."""
        positive = self.both + self.disagreed
        return self.both / positive if positive else 1.0

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen, 1960): 1 full, 0 as by chance; 1.0 if no other value is possible."""
        if not self.frames:
            return 1.0
        n = self.frames
        observed = (n - self.disagreed) / n
        first, second = (self.both + self.only_first) / n, (self.both + self.only_second) / n
        chance = first * second + (1 - first) * (1 - second)
        return (observed - chance) / (1 - chance) if chance < 1 else 1.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.both + other.both, self.only_first + other.only_first, self.only_second + other.only_second,
            self.frames + other.frames,
        )  # fmt: skip
