"""Client of a model hub: a file's commit, size and hash, and its download, resumed after every interruption."""

from __future__ import annotations

import errno
import re
import string
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx

from annotate.backends.http_client import HEADERS, SERVER_ERRORS, HttpClient, is_unreadable
from ingest import humane, outside_json
from ingest.errors import BadInput, Cancelled, KomaError
from ingest.imaging.names import plain_text

ANSWER_BYTES_MAX = 8 * 2**20  # of a list of files
ANSWER_S_MAX = 120.0  # for a complete response, however slowly it arrives
SIZE_DIGITS_MAX = 15  # of a file's size in bytes
REDIRECTS_MAX = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
LEFT_BYTES_MAX = 64 * 1024  # of an unneeded response, read so that its connection can be kept
KEEP = 4  # idle connections, to the hub and to the servers it redirects to
TRIES = 5  # consecutive attempts without a new byte
REPOSITORY = re.compile(r"(?:datasets/)?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})  # never network errors
WAITS = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth a later retry

Progress = Callable[[int], None]  # number of new bytes
Stop = Callable[[], bool]


def never() -> bool:
    """Never stop."""
    return False


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as described by the hub: `sha256` if stated; `git_sha1` (of git's blob) for small files."""

    repository: str
    path: str
    commit: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


class _Refused(Exception):
    """A response that is not a success."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status} {words}".strip())
        self.status = status


def following(url: str, location: str) -> str:
    """Resolve a redirect: http and https only, never from https to http. Raises BadInput for others."""
    host = urlsplit(url).netloc
    try:
        leads = urljoin(url, quote(location, safe=string.punctuation, encoding="latin-1"))
        parts = urlsplit(leads)
        web = parts.scheme in ("http", "https")
        if web and (not parts.hostname or parts.port == 0):
            raise ValueError("no host")
    except ValueError as error:
        raise BadInput(f"{host} redirects to an invalid address: {plain_text(location[:200])}") from error
    if not web or (parts.scheme == "http" and urlsplit(url).scheme == "https"):
        raise BadInput(f"{host} redirects to an address with {plain_text(parts.scheme)}, which is refused.")
    return leads


class Hub:
    """A hub with the URL scheme of huggingface.co. `base` comes from the settings, never from user input."""

    def __init__(self, base: str, *, token: str = "", timeout_s: float = 30.0, wait_s: float = 1.0) -> None:
        self.base = base.rstrip("/")
        self.host = urlsplit(self.base).netloc
        self.timeout_s, self.wait_s = timeout_s, wait_s
        self._token = token
        self._client = HttpClient(tls=True, keep=KEEP)  # also for an http base: it may redirect to https
        weakref.finalize(self, self._client.close)

    def about(self, repository: str, revision: str, path: str, *, stop: Stop = never) -> Remote | None:
        """Return a file's description at the commit that `revision` refers to now; None if there is no such file.

        Large files state their sha256 in X-Linked-Etag, small ones git's hash in ETag.
        """
        url = self._url(repository, "resolve", revision, path)
        what = f"{repository}: {path}"
        headers = self._retried(lambda: self._head(url, what, stop), what, stop)
        if headers is None:
            return None
        etag = _bare(headers.get("x-linked-etag") or headers.get("etag") or "")
        size = headers.get("x-linked-size") or headers.get("content-length") or ""
        commit = headers.get("x-repo-commit") or ""
        if not size.isdecimal() or len(size) > SIZE_DIGITS_MAX:
            raise BadInput(f"{self.host} does not state the size of {path} in {repository}. Is it a model hub?")
        return Remote(
            repository, path, commit if SHA1.fullmatch(commit) else revision, int(size),
            sha256=etag if SHA256.fullmatch(etag) else "", git_sha1=etag if commit and SHA1.fullmatch(etag) else "",
        )  # fmt: skip

    def listing(self, repository: str, revision: str, *, stop: Stop = never) -> list[str]:
        """Return the names of the files at the top level of a repository."""
        url = f"{self._repository(repository)}/tree/{quote(revision, safe='')}"
        rows = self._retried(lambda: self._json(url, stop), repository, stop)
        if not isinstance(rows, list):
            raise BadInput(f"{repository}: {self.host} does not list its files.")
        return [str(row.get("path", "")) for row in rows if isinstance(row, dict) and row.get("type") == "file"]

    def licence(self, repository: str) -> str:
        """Return the licence on the model's card as stated by the hub; empty if it states none. Never raises."""
        try:
            about = self._json(self._repository(repository))
        except (*SERVER_ERRORS, _Refused, BadInput, ValueError):
            return ""
        card = about.get("cardData") if isinstance(about, dict) else None
        licence = card.get("license_name") or card.get("license") if isinstance(card, dict) else ""
        return licence[:100] if isinstance(licence, str) and licence.isprintable() else ""

    def fetch(self, remote: Remote, to: Path, *, progress: Progress, stop: Stop = never) -> None:
        """Append to `to` until it has the file's size, resuming where an earlier attempt ended.

        Raises Cancelled, BadInput (missing, refused), or a KomaError that is not permanent when the network stays down.
        """
        url = self._url(remote.repository, "resolve", remote.commit, remote.path)
        tries = 0
        while (have := _size(to)) < remote.size or not to.exists():
            try:
                self._append(url, remote, to, progress=progress, stop=stop)
                if _size(to) <= have and remote.size:
                    raise httpx.RemoteProtocolError("no data arrived")
            except _Refused as error:
                if error.status not in WAITS:
                    raise self._refused(error, f"{remote.repository}: {remote.path}") from error
                problem: Exception = error
            except SERVER_ERRORS as error:
                if isinstance(error, OSError) and error.errno in DISK:
                    raise _disk(error, to) from error
                problem = error
            else:
                continue
            tries = 0 if _size(to) > have else tries + 1
            if tries >= TRIES:
                raise self._away(problem, remote.path) from problem
            self._wait(tries, stop)

    def _append(self, url: str, remote: Remote, to: Path, *, progress: Progress, stop: Stop) -> None:
        have = _size(to)
        with self._get(url, stop=stop, headers={"Range": f"bytes={have}-"} if have else {}) as response:
            if have and not _continues(response, have, remote.size):  # it sends the complete file again
                progress(-have)
                have = 0
            with to.open("r+b" if have else "wb") as file:
                file.seek(have)
                for block in response.iter_raw():
                    if stop():
                        raise Cancelled(f"Stopped. The partial download of {remote.path} is kept.")
                    have += len(block)
                    if have > remote.size:
                        raise BadInput(f"{self.host} sent more of {remote.path} than it stated. It was not kept.")
                    file.write(block)
                    progress(len(block))

    def _head(self, url: str, what: str, stop: Stop) -> dict[str, str] | None:
        """Return the headers of the file itself by lower-case name; None if there is no such file.

        Redirects are followed (a renamed repository), except for one that already describes a large file.
        """
        for _ in range(REDIRECTS_MAX):
            try:
                with self._request("HEAD", url, stop) as response:
                    status, headers = response.status_code, _headers(response)
                    if status not in REDIRECTS | {404}:
                        _check(response)
            except httpx.RemoteProtocolError as error:
                if not is_unreadable(error):
                    raise
                raise BadInput(f"{what}: {self.host} does not respond like a model hub ({_words(error)}).") from error
            if status == 404:
                return None
            if status not in REDIRECTS or headers.get("x-linked-etag"):
                return headers
            url = following(url, headers.get("location", ""))
        raise BadInput(f"{self.host} redirects too often.")

    def _json(self, url: str, stop: Stop = never) -> Any:
        text, until = b"", time.monotonic() + ANSWER_S_MAX
        with self._get(url, stop=stop) as response:
            for part in response.iter_raw():
                text += part
                if len(text) > ANSWER_BYTES_MAX or time.monotonic() > until:
                    raise BadInput(f"{self.host} sends more than {humane.filesize(ANSWER_BYTES_MAX)}, or does not end.")
        return outside_json.parsed(text)

    @contextmanager
    def _get(self, url: str, *, stop: Stop, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """Yield the successful response at the end of all redirects. Raises _Refused."""
        for _ in range(REDIRECTS_MAX):
            with self._request("GET", url, stop, headers or {}) as response:
                if response.status_code not in REDIRECTS:
                    _check(response)
                    yield response
                    return
                url = following(url, _headers(response).get("location", ""))
                _read_out(response)
        raise BadInput(f"{self.host} redirects too often.")

    @contextmanager
    def _request(
        self, method: str, url: str, stop: Stop, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        def listen() -> None:
            if stop():
                raise Cancelled("Stopped. The partial download is kept.")

        request_headers = self.headers_for(url) | (headers or {})
        with self._client.stream(method, url, request_headers, quiet_s=self.timeout_s, listen=listen) as response:
            yield response
            if method == "HEAD":
                _read_out(response)

    def headers_for(self, url: str) -> dict[str, str]:
        """Return the request headers for a server; only the hub itself gets the token."""
        if self._token and urlsplit(url)[:2] == urlsplit(self.base)[:2]:
            return HEADERS | {"Authorization": f"Bearer {self._token}"}
        return HEADERS

    def _retried(self, ask: Callable[[], Any], what: str, stop: Stop) -> Any:
        for attempt in range(1, TRIES + 1):
            if stop():
                raise Cancelled("Stopped. The partial download is kept.")
            try:
                return ask()
            except _Refused as error:
                if error.status not in WAITS:
                    raise self._refused(error, what) from error
                problem: Exception = error
            except ValueError as error:
                raise BadInput(f"{what}: {self.host} does not respond like a model hub.") from error
            except SERVER_ERRORS as error:
                problem = error
            if attempt < TRIES:
                self._wait(attempt, stop)
        raise self._away(problem, what) from problem

    def _url(self, repository: str, what: str, revision: str, path: str) -> str:
        if not REPOSITORY.fullmatch(repository) or not path or any(p in ("", ".", "..") for p in path.split("/")):
            raise BadInput(f"{repository!r}, {path!r}: not a file of a model hub.")
        return f"{self.base}/{repository}/{what}/{quote(revision, safe='')}/{quote(path)}"

    def _repository(self, repository: str) -> str:
        if not REPOSITORY.fullmatch(repository):
            raise BadInput(f"{repository!r} is not a repository of a model hub.")
        kind = "" if repository.startswith("datasets/") else "models/"
        return f"{self.base}/api/{kind}{repository}"

    def _wait(self, tries: int, stop: Stop) -> None:
        until = time.monotonic() + self.wait_s * 2 ** max(0, tries - 1)
        while time.monotonic() < until:
            if stop():
                raise Cancelled("Stopped. The partial download is kept.")
            time.sleep(min(0.2, self.wait_s))

    def _refused(self, error: _Refused, what: str) -> KomaError:
        if error.status in (401, 403):
            return BadInput(
                f"{what}: {self.host} requires a login ({error.status}). Accept the model's terms on its page, "
                "and set KOMA_HUB_TOKEN to your token; or import the files from a folder."
            )
        if error.status == 404:
            return BadInput(f"{what}: this is not (or no longer) on {self.host}.")
        return BadInput(f"{what}: {self.host} refuses it: {_words(error)}.")

    def _away(self, problem: Exception, what: str) -> KomaError:
        return KomaError(
            f"{what}: {self.host} cannot be reached or disconnected ({_words(problem)}). A partial download is kept; "
            "try again later, set KOMA_HUB_URL to a mirror, or import the files from a folder.",
            permanent=False,
        )


def _check(response: httpx.Response) -> None:
    if not 200 <= response.status_code < 300:
        raise _Refused(response.status_code, response.extensions.get("reason_phrase", b"").decode("latin-1"))


def _headers(response: httpx.Response) -> dict[str, str]:
    """Return headers by lower-case name; of several with one name the first."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reversed(response.headers.raw)}


def _read_out(response: httpx.Response) -> None:
    left = LEFT_BYTES_MAX
    for part in response.iter_raw():
        left -= len(part)
        if left < 0:
            return  # closing the connection is cheaper


def _words(problem: Exception) -> str:
    if isinstance(problem, TimeoutError | httpx.TimeoutException):
        return "timed out"
    return plain_text(str(problem)) or type(problem).__name__


def _disk(error: OSError, to: Path) -> KomaError:
    return KomaError(
        f"{to.name} cannot be written in {to.parent}: {error.strerror}. The partial download is kept; free some "
        "space and resume, or remove it.",
        permanent=False,
    )


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"').lower()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _continues(response: httpx.Response, have: int, size: int) -> bool:
    """Return whether the response is the rest, from `have` on, of a file of this size."""
    if response.status_code != 206:
        return False
    content_range = _headers(response).get("content-range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
    if match is None or int(match[1]) != have or match[2] not in ("*", str(size)):
        raise httpx.RemoteProtocolError(f"a different range than requested: {content_range!r}")
    return True
