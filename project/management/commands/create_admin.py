"""`manage.py create_admin NAME`: the first admin on a server."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.actions.people import random_password
from project.admin_user import make_admin


class Command(BaseCommand):
    """Create a site admin; there is no sign-up, everybody else is invited."""

    help = "Create an admin. The password is random and printed, or the first line of standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *_: Any, **options: Any) -> None:
        from_stdin = options["password_stdin"]
        password = sys.stdin.readline().rstrip("\r\n") if from_stdin else random_password()
        try:
            validate_password(password)
            make_admin(options["name"], password)
        except ValidationError as weak:
            raise CommandError(" ".join(weak.messages)) from None
        except ValueError as taken:
            raise CommandError(str(taken)) from None
        self.stdout.write(f"Admin {options['name']} created." + ("" if from_stdin else f" Password: {password}"))
