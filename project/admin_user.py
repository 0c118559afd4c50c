"""The first admin: created once, with a random password."""

from __future__ import annotations

import os
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from ingest.actions.people import random_password

NAME = "admin"


@transaction.atomic
def make_admin(name: str, password: str) -> User:
    """Create a site admin; ValueError when the name is taken."""
    if User.objects.filter(username=name).exists():
        raise ValueError(f"There is already a person named {name!r}.")
    return User.objects.create_superuser(name, password=password)


def first_admin(password_file: Path) -> tuple[str, str] | None:
    """Make the first admin if nobody is there, and keep the password in a file that only we can read.

    Returns name and password: of the one just made, or of the kept one while that password still is right; None when
    other people run this site.
    """
    if not User.objects.exists():
        password = random_password()
        password_file.unlink(missing_ok=True)
        handle = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(password + "\n")
        make_admin(NAME, password)
        return NAME, password
    if not password_file.is_file():
        return None
    password = password_file.read_text(encoding="ascii").strip()
    admin = User.objects.filter(username=NAME, is_active=True).first()
    return (NAME, password) if admin is not None and admin.check_password(password) else None
