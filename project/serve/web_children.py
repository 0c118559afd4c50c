"""What gunicorn's master does with its children (its configuration, `--config python:project.serve.web_children`)."""

from __future__ import annotations

import os
from typing import Any

from project.serve.children import die_with_parent


def post_fork(server: Any, worker: Any) -> None:
    """In a child that was just forked: end with the master, however that ends.

    gunicorn's own watch is a check of the parent now and then, which a child that hangs on its way up never comes to.
    """
    die_with_parent()
    if os.getppid() != server.pid:  # the master had ended before we asked
        os._exit(1)
