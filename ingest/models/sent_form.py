"""SentForm: a submitted form, so that one that is sent twice is handled once."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class SentForm(models.Model):
    """Created before the work begins, deleted when it was refused; see `ingest.views.once`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    mark = models.CharField(max_length=64)  # hash of the address, the form's key and all that it holds
    at = models.DateTimeField()
    token = models.CharField(max_length=32)  # of the request that does the work
    done = models.BooleanField(default=False)
    answer = models.JSONField(default=dict)  # what the second one is told: words, and where the first one led

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "mark"), name="sent_form_once"),)
        indexes = (models.Index(fields=("at",), name="sent_form_age"),)
