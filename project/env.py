"""Strict readers of environment variables: an invalid value stops the start with an error that names it.

An empty value counts as absent, so that `KOMA_PORT=` in a compose file means the default.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
SECRET_KEY_LENGTH_MIN = 50  # characters; what `manage.py check --deploy` asks for
SECRET_KEY_DISTINCT_MIN = 5  # different characters, likewise
KNOWN_KEY_PARTS = ("django-insecure", "changeme", "change-me", "change_me", "secret", "password", "example", "koma")
SIZE_FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
DATABASE_SCHEMES = frozenset({"sqlite", "postgres", "postgresql"})
REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})


class SettingError(ValueError):
    """An environment variable has an invalid value; the text is meant for the person."""


def env_str(name: str, default: str = "") -> str:
    """Return the variable's text without surrounding blanks, or `default` where it is absent or empty."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, *, default: bool) -> bool:
    """Return a switch; only 1/0, true/false, yes/no and on/off are understood, in any case."""
    text = env_str(name).lower()
    if not text:
        return default
    if text in TRUE_WORDS:
        return True
    if text in FALSE_WORDS:
        return False
    raise SettingError(f"{name} is {text!r}, but it must be on or off.")


def env_int(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole number between `minimum` and `maximum`, both allowed."""
    text = env_str(name)
    if not text:
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not minimum <= int(text) <= maximum:
        raise SettingError(f"{name} is {text!r}, but it must be a whole number from {minimum} to {maximum}.")
    return int(text)


def env_bytes(name: str, default: int) -> int:
    """Return a size in bytes; a number may end in K, M, G or T for powers of 1024 (`20G`)."""
    text = env_str(name).upper()
    if not text:
        return default
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)", text)
    if match is None:
        raise SettingError(f"{name} is {text!r}, but it must be a size such as 500M or 20G.")
    return int(match.group(1)) * SIZE_FACTORS[match.group(2)]


def env_list(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Return the parts of a list separated by commas; empty parts are dropped."""
    text = env_str(name)
    return [part.strip() for part in text.split(",") if part.strip()] if text else list(default)


def env_path(name: str, default: Path) -> Path:
    """Return an absolute path; `~` is the home folder and a relative path starts at the current folder."""
    text = env_str(name)
    if "\0" in text:
        raise SettingError(f"{name} holds a zero byte, which no path can.")
    return Path(text).expanduser().absolute() if text else default


def env_folders(name: str) -> list[Path]:
    """Return folders separated by the system's path separator (`:`); each must exist, as a typo would hide files."""
    folders = [Path(part).expanduser().absolute() for part in env_str(name).split(os.pathsep) if part.strip()]
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(f"{name} names {folder}, which is not a folder.")
    return folders


def env_url(name: str, default: str, *, schemes: frozenset[str]) -> str:
    """Return an address whose scheme is one of `schemes`; the message never repeats the address, which may hold a
    password."""
    text = env_str(name, default)
    try:
        scheme = urlsplit(text).scheme
    except ValueError as wrong:
        raise SettingError(f"{name} is not an address: {wrong}.") from None
    if scheme not in schemes:
        raise SettingError(f"{name} must begin with one of {', '.join(sorted(s + '://' for s in schemes))}.")
    return text


def env_service_url(name: str, default: str = "") -> str:
    """Return the address of a web service without a slash at its end; empty where it and `default` are.

    http or https, a host, perhaps a port and a path; no user, password, query or fragment, which would be sent or
    shown where nobody expects them.
    """
    text = env_str(name, default).rstrip("/")
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable():
        raise SettingError(
            f"{name} must look like https://host.example.org/path, without a user, password, '?' or '#'."
        )
    return text


def env_secret(name: str, *, sent_to: str = "") -> str:
    """Return a secret for an HTTP header: printable ASCII without blanks; the message never repeats it.

    With `sent_to`, the service's address, it is refused where it would travel unencrypted to another machine.
    """
    text = env_str(name)
    if not re.fullmatch(r"[!-~]{0,1000}", text):
        raise SettingError(f"{name} must be printable ASCII without blanks, at most 1,000 characters.")
    parts = urlsplit(sent_to)
    if text and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise SettingError(f"{name} would be sent unencrypted, as its service's address begins with http://.")
    return text


def env_origins(name: str) -> list[str]:
    """Return origins (scheme and host, no path) as Django's CSRF check wants them."""
    origins = env_list(name)
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            raise SettingError(f"{name} holds {origin!r}, but each must look like https://koma.example.org.")
    return origins


# A page needs some sixty rows out of an index. To start two more processes for that, or a compiler, takes longer than
# to read them. `?options=` in DATABASE_URL wins; PgBouncer needs `ignore_startup_parameters = options`.
POSTGRES_OPTIONS = "-c max_parallel_workers_per_gather=0 -c jit=off"


def database_settings(url: str, *, data_dir: Path) -> dict[str, Any]:
    """Return Django's settings of the database that `url` names; without one, an SQLite file in the data folder.

    SQLite writes ahead (readers never wait) and takes its write lock at the start of a transaction, so that two
    writers queue up instead of failing in the middle.
    """
    url = url or f"sqlite:///{data_dir / 'koma.sqlite3'}"
    if urlsplit(url).scheme not in DATABASE_SCHEMES:
        raise SettingError("DATABASE_URL must begin with sqlite:// or postgresql://.")
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    except (ValueError, dj_database_url.ParseError) as wrong:
        raise SettingError(f"DATABASE_URL is not understood: {type(wrong).__name__}.") from None
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        parsed["OPTIONS"] = {
            "timeout": 30,  # seconds a writer waits for another one
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
        }
    else:
        parsed.setdefault("OPTIONS", {}).setdefault("options", POSTGRES_OPTIONS)
    return parsed


def secret_key(*, data_dir: Path, debug: bool) -> str:
    """Return SECRET_KEY, or the one that the data folder keeps (made there on the first start, readable to us only).

    Outside debug a known or short key is refused, because whoever guesses it can log in as anybody.
    """
    key = env_str("SECRET_KEY")
    if not key:
        return kept_secret(data_dir / "secret_key")
    weak = len(key) < SECRET_KEY_LENGTH_MIN or len(set(key)) < SECRET_KEY_DISTINCT_MIN
    known = any(part in key.lower() for part in KNOWN_KEY_PARTS)
    if (weak or known) and not debug:
        raise SettingError(
            f"SECRET_KEY is too short or a well-known one. Give {SECRET_KEY_LENGTH_MIN} random characters or more, "
            "or leave it out: then one is made and kept in the data folder."
        )
    return key


def kept_secret(path: Path) -> str:
    """Return the random text kept in `path`, made at the first call; several processes may ask at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(64))
            try:
                os.link(temporary, path)  # unlike a rename this never replaces a secret that another process just made
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingError(f"The secret in {path} cannot be made or read ({problem}). Check KOMA_DATA_DIR.") from None
    if len(text) < SECRET_KEY_LENGTH_MIN:
        raise SettingError(f"The secret in {path} is damaged. Delete the file; everybody must then log in again.")
    return text
