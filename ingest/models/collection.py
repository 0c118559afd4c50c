"""Collection, its members and the links that invite them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models


class Role(models.IntegerChoices):
    """Rights in a collection; a higher number may do all that a lower one may."""

    VIEWER = 10, "viewer"
    REVIEWER = 20, "reviewer"
    LEAD = 30, "lead"
    ADMIN = 40, "admin"


class CollectionQuerySet(models.QuerySet["Collection"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> CollectionQuerySet:
        """Only the collections that the user is a member of."""
        if user.pk is None:
            return self.none()
        return self.filter(memberships__user_id=user.pk)

    def active(self) -> CollectionQuerySet:
        """Without the archived ones."""
        return self.filter(archived_at__isnull=True)


class Collection(models.Model):
    """One body of work and the team's shared space."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    # The person's choices for the next run (stage name -> parameters); a run freezes its own copy.
    run_defaults = models.JSONField(default=dict, blank=True)

    objects = CollectionQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a collection."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=Role.choices, default=Role.REVIEWER)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "user"), name="membership_once"),)


class Invitation(models.Model):
    """A link that makes its opener a member. Only the link's SHA-256 is stored."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="invitations")
    role = models.PositiveSmallIntegerField(choices=Role.choices, default=Role.REVIEWER)
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    accepted_at = models.DateTimeField(null=True, blank=True)
