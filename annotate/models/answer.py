"""ModelAnswer, ModelLabels, ModelChoice: raw answers, their labels, the models that collections use."""

from __future__ import annotations

from django.db import models

from annotate.models.model_version import ModelVersion
from ingest.history_rules import HistoryRules
from ingest.models import Collection, Frame


class ModelAnswer(models.Model):
    """The answer of one model version for one frame, packed (`annotate.algorithms.packing`); thresholds are applied by
    queries.

    Answers are independent of the effective rows (FrameTag, Face): those of a second model change nothing.
    """

    frame = models.ForeignKey(Frame, models.CASCADE, related_name="model_answers")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    data = models.BinaryField()

    history = HistoryRules(computed=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("model_version", "frame"), name="model_answer_once"),)


class ModelLabels(models.Model):
    """The labels of a model version, [name, category] in the order of its outputs; a table of its own, since the list
    is long.

    `rules` are the model's own (`tag_rules.Rules.as_json`), so that answers are unpacked without the model's files.
    """

    model_version = models.OneToOneField(ModelVersion, models.CASCADE, related_name="labels")
    rows = models.JSONField(default=list)
    rules = models.JSONField(default=dict, blank=True)


class ModelChoice(models.Model):
    """The installed model that a collection uses for a task; without a row the task's default.

    Boxes and classes may have several rows: all of these models run.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="model_choices")
    task = models.CharField(max_length=20)
    name = models.CharField(max_length=100)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "task", "name"), name="model_choice_once"),)
