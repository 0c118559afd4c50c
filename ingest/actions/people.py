"""Site admins manage accounts: add a person, set a new password, disable, make a site admin."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model, password_validation
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from ingest.errors import BadInput, Conflict

logger = logging.getLogger(__name__)

# No characters that look alike: people read a password aloud, or type it from a terminal.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
NAME_MAX = 150
GROUPS, GROUP_LENGTH = 4, 5  # 20 characters of 32: 100 bits


def random_password() -> str:
    """Return a password such as `k3m9x-...`, of 100 random bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))


class NameTaken(BadInput):
    """The name, in any case, belongs to somebody."""

    def __init__(self) -> None:
        super().__init__("This name is taken.")


def create(*, name: str, password: str) -> Any:
    """Create an account. BadInput for a bad name or password, NameTaken for a taken name."""
    users = get_user_model()
    name = users.normalize_username(name.strip())
    try:
        UnicodeUsernameValidator()(name)
        if len(name) > NAME_MAX:
            raise ValidationError(f"The name is longer than {NAME_MAX} characters.")
        password_validation.validate_password(password, users(username=name))
    except ValidationError as error:
        raise BadInput(" ".join(error.messages)) from None
    try:
        with transaction.atomic():
            if users.objects.filter(username__iexact=name).exists():
                raise NameTaken
            return users.objects.create_user(name, password=password)
    except IntegrityError:
        raise NameTaken from None


def add(*, name: str, by: Any) -> tuple[Any, str]:
    """Create an account with a random password; returns both. The password is stored nowhere. Raises as `create`."""
    password = random_password()
    person = create(name=name, password=password)
    logger.info("person %s added by %s", person.pk, by.pk)
    return person, password


def set_new_password(*, person: Any, by: Any) -> str:
    """Give a person a random password and end their sessions; returns it. BadInput for one's own account."""
    if person.pk == by.pk:
        raise BadInput("Change your own password on the page Change password, in the menu with your name.")
    password = random_password()
    person.set_password(password)
    person.save(update_fields=["password"])
    logger.info("new password of person %s set by %s", person.pk, by.pk)
    return password


def set_enabled(*, person: Any, enabled: bool, by: Any) -> None:
    """Let a person log in, or not any more: their sessions end, what they did stays. BadInput for one's own account."""
    if person.pk == by.pk:
        raise BadInput("You cannot disable your own account. Another site admin can.")
    with transaction.atomic():
        _change(person, "is_active", value=enabled, by=by)
        if not enabled:  # or they would go on when the account is enabled again
            _end_sessions(person)
    logger.info("person %s %s by %s", person.pk, "enabled" if enabled else "disabled", by.pk)


def _end_sessions(person: Any) -> None:
    """Delete a person's sessions. Whose they are stands only inside of them."""
    rows = Session.objects.filter(expire_date__gt=timezone.now())
    keys = [row.pk for row in rows.iterator() if row.get_decoded().get(SESSION_KEY) == str(person.pk)]
    Session.objects.filter(pk__in=keys).delete()


def set_site_admin(*, person: Any, site_admin: bool, by: Any) -> None:
    """Make a person a site admin, or take that back. BadInput for one's own account: so there is always one."""
    if person.pk == by.pk:
        raise BadInput("You cannot give up your own rights as site admin. Another site admin can take them.")
    _change(person, "is_superuser", value=site_admin, by=by)
    logger.info("person %s is %s site admin, set by %s", person.pk, "a" if site_admin else "no", by.pk)


def _change(person: Any, name: str, *, value: bool, by: Any) -> None:
    """Set one right. Both rows are locked: of two site admins who disable each other one stays."""
    with transaction.atomic():
        rows = get_user_model().objects.select_for_update().filter(pk__in=[person.pk, by.pk]).order_by("pk")
        locked = {row.pk: row for row in rows}
        if by.pk not in locked or not (locked[by.pk].is_active and locked[by.pk].is_superuser):
            raise Conflict("You are no site admin any more. Nothing was changed.")
        row = locked[person.pk]
        if getattr(row, name) == value:
            raise Conflict("Somebody did this already. The page shows the account as it is now.")
        setattr(row, name, value)
        row.is_staff = row.is_superuser
        row.save(update_fields=["is_active", "is_superuser", "is_staff"])
