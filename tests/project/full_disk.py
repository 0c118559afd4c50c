"""What pages say on a quite full disk: `python -m tests.project.full_disk FOLDER [--fresh]`, FOLDER on a small disk.

With `--fresh` no connection to the database is open when the disk is full. Prints JSON: by page the status and words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("KOMA_")]:
        del os.environ[name]
    os.environ |= {
        "KOMA_DATA_DIR": str(options.folder / "data"), "KOMA_DISK_RESERVE_BYTES": "0", "ALLOWED_HOSTS": "testserver",
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }  # fmt: skip
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from ingest.models import Collection, Membership, Role

    call_command("migrate", verbosity=0)
    person = User.objects.create_superuser("ann", password="a long pass phrase")
    collection = Collection.objects.create(name="Full")
    Membership.objects.create(collection=collection, user=person, role=Role.ADMIN)
    member, visitor = Client(raise_request_exception=False), Client(raise_request_exception=False)
    member.force_login(person)
    if options.fresh:
        connections.close_all()
    filler = options.folder / "filler"
    try:
        with filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
    except OSError:
        pass
    name = {"name": "Other name"}
    answers = {
        "login": visitor.post("/login/", {"username": "ann", "password": "a long pass phrase"}),
        "form": member.post("/", name),
        "htmx": member.post(f"/c/{collection.pk}/settings/", name | {"act": "rename"}, headers={"HX-Request": "true"}),
        "page": member.get(f"/c/{collection.pk}/runs/"),
    }
    results = {key: [answer.status_code, _words(answer)] for key, answer in answers.items()}
    filler.unlink()
    results["afterwards"] = [member.post("/", name).status_code, ""]
    print(json.dumps(results))
    return 0


def _words(answer: object) -> str:
    toast = getattr(answer, "headers", {}).get("HX-Trigger")
    if toast:
        return str(json.loads(toast)["toast"]["text"])
    text = " ".join(getattr(answer, "content", b"").decode().split())
    return " ".join(re.findall(r"<(?:h1|p)>(.*?)</", text))


if __name__ == "__main__":
    sys.exit(main())
