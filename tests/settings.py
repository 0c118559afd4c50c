"""Settings of the tests: everything written goes to a fresh folder, and nothing of the person's environment is used."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_DATABASE_URL = os.environ.get("KOMA_TEST_DATABASE_URL", "")
for _name in [name for name in os.environ if name.startswith("KOMA_") and not name.startswith("KOMA_TEST_")]:
    del os.environ[_name]
for _name in ("SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "DEBUG", "REDIS_URL", "DATABASE_URL"):
    os.environ.pop(_name, None)

_FOLDER = tempfile.TemporaryDirectory(prefix="koma-tests-")
os.environ["KOMA_DATA_DIR"] = _FOLDER.name
if _DATABASE_URL:
    os.environ["DATABASE_URL"] = _DATABASE_URL

from project.settings import *  # noqa: E402, F403
from project.settings import DATABASES, KOMA_DATA_DIR, MIDDLEWARE  # noqa: E402

# A short key derivation, because tests log in hundreds of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
KOMA_DISK_RESERVE_BYTES = 0
MIDDLEWARE = [
    name.replace("whitenoise.middleware.WhiteNoiseMiddleware", "tests.static_files.ListedOnce") for name in MIDDLEWARE
]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A real file, as in use: threads have connections of their own and wait for each other.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(KOMA_DATA_DIR) / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
