"""Evaluation: one measurement of a model, on a folder with known labels or on a collection's reviewed labels."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection, Job


class Evaluation(Job):
    """A measurement; the form of `scores` and `mistakes` depends on its kind."""

    kind = models.CharField(max_length=20)
    # Its reviewed labels are the ground truth, visible to its members only; None: the folder has the ground truth.
    collection = models.ForeignKey(Collection, models.CASCADE, null=True, blank=True, related_name="evaluations")
    folder = models.CharField(max_length=1000, blank=True)  # "<number of the library folder>:<path below it>"
    model = models.CharField(max_length=100)
    second = models.CharField(max_length=100, blank=True)  # the other model of a comparison
    done = models.PositiveIntegerField(default=0)  # pictures read
    total = models.PositiveIntegerField(default=0)  # 0: unknown
    scores = models.JSONField(default=dict, blank=True)
    mistakes = models.JSONField(default=list, blank=True)
    notes = models.JSONField(default=list, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    @property
    def path(self) -> str:
        """The folder as shown to people."""
        return self.folder.partition(":")[2] or "/"

    @property
    def headline(self) -> str:
        """The main figure as text; empty without one."""
        scores = self.scores
        if "hits_iou30" in scores:
            return (
                f"{scores['hits_iou30']} of {scores['faces']} faces, {scores['hits_iou50']} at IoU 0.5, "
                f"{scores['false_positives_iou30']} false"
            )
        if scores.get("accuracy"):
            shares = sorted((int(shots), share) for shots, share in scores["accuracy"].items())
            figures = [
                f"{share:.0%} right with {shots}" if not index else f"{share:.0%} with {shots}"
                for index, (shots, share) in enumerate(shares)
            ]
            return (
                f"{', '.join(figures)} {'named face' if shares[-1][0] == 1 else 'named faces'} per character".replace(
                    "%", " %"
                )
            )
        for name in ("micro_f1", "best_f1", "f1"):
            if isinstance(scores.get(name), (int, float)):
                return f"{name.replace('_', ' ')} {scores[name]:.3f}"
        return f"{scores['psnr']:.2f} dB" if isinstance(scores.get("psnr"), (int, float)) else ""

    def __str__(self) -> str:
        return f"{self.kind} of {self.model}"
