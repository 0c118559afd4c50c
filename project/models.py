"""Wrong passwords of the last minutes, so that guessing is slowed down for all processes alike."""

from __future__ import annotations

from django.db import models


class LoginFailure(models.Model):
    """One wrong password: the name that was typed (folded) and the address it came from."""

    name = models.CharField(max_length=150)
    address = models.CharField(max_length=60)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (
            models.Index(fields=("name", "at"), name="login_failure_name"),
            models.Index(fields=("address", "at"), name="login_failure_address"),
        )
