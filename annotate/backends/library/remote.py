"""Talks to a model hub: what a file is (commit, size, hash), and its bytes, resumed after every break."""

from __future__ import annotations

import errno
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from annotate.backends import outside_json
from ingest.errors import BadInput, Cancelled, KomaError
from ingest.imaging.names import plain_text

AGENT = "koma"
CHUNK = 1 << 20
ANSWER_BYTES_MAX = 8 * 2**20  # of a list of files
ANSWER_S_MAX = 120.0  # for all of it, however it drips
SIZE_DIGITS_MAX = 15  # of a file's size in bytes
REDIRECTS_MAX = 5
TRIES = 5  # in a row without a single new byte
REPOSITORY = re.compile(r"(?:datasets/)?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
NETWORK = (urllib.error.URLError, http.client.HTTPException, OSError)
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})  # no network fails by these
WAITS = frozenset({408, 425, 429, 500, 502, 503, 504})  # worth another try later

Progress = Callable[[int], None]  # new bytes
Stop = Callable[[], bool]


def never() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as the hub describes it. `sha256` where it tells one; `git_sha1` (of git's blob) for small files."""

    repository: str
    path: str
    commit: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to web addresses only, never from https down to http, and leaves the token at the hub."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise urllib.error.HTTPError(req.full_url, code, f"leads to {new.scheme}, which is refused", headers, fp)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (old.scheme, old.netloc) != (new.scheme, new.netloc):
            following.remove_header("Authorization")
        return following


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Hub:
    """A hub with the addresses of huggingface.co. `base` comes from the settings, never from a visitor."""

    def __init__(self, base: str, *, token: str = "", timeout_s: float = 30.0, wait_s: float = 1.0) -> None:
        self.base = base.rstrip("/")
        self.host = urlsplit(self.base).netloc
        self.timeout_s, self.wait_s = timeout_s, wait_s
        self._token = token
        self._follow = urllib.request.build_opener(_Redirects)
        self._stay = urllib.request.build_opener(_NoRedirects)

    def about(self, repository: str, revision: str, path: str, *, stop: Stop = never) -> Remote | None:
        """What a file is, at the commit that `revision` names now; None where there is no such file.

        Large files have their sha256 in X-Linked-Etag, small ones git's hash in ETag.
        """
        url = self._url(repository, "resolve", revision, path)
        headers = self._retried(lambda: self._head(url), f"{repository}: {path}", stop)
        if headers is None:
            return None
        etag = _bare(headers.get("X-Linked-Etag") or headers.get("ETag") or "")
        size = headers.get("X-Linked-Size") or headers.get("Content-Length") or ""
        commit = headers.get("X-Repo-Commit") or ""
        if not size.isdecimal() or len(size) > SIZE_DIGITS_MAX:
            raise BadInput(f"{self.host} does not tell the size of {path} in {repository}: it is no model hub?")
        return Remote(
            repository, path, commit if SHA1.fullmatch(commit) else revision, int(size),
            sha256=etag if SHA256.fullmatch(etag) else "", git_sha1=etag if commit and SHA1.fullmatch(etag) else "",
        )  # fmt: skip

    def listing(self, repository: str, revision: str, *, stop: Stop = never) -> list[str]:
        """Names of the files at the top of a repository."""
        url = f"{self._repository(repository)}/tree/{quote(revision, safe='')}"
        rows = self._retried(lambda: self._json(url), repository, stop)
        if not isinstance(rows, list):
            raise BadInput(f"{repository}: {self.host} does not list its files.")
        return [str(row.get("path", "")) for row in rows if isinstance(row, dict) and row.get("type") == "file"]

    def licence(self, repository: str) -> str:
        """The licence on the model's card, as the hub tells it; empty where it does not. Never an error."""
        try:
            about = self._json(self._repository(repository))
        except (*NETWORK, BadInput, ValueError):
            return ""
        card = about.get("cardData") if isinstance(about, dict) else None
        told = card.get("license_name") or card.get("license") if isinstance(card, dict) else ""
        return told[:100] if isinstance(told, str) and told.isprintable() else ""

    def fetch(self, remote: Remote, to: Path, *, progress: Progress, stop: Stop = never) -> None:
        """Append to `to` until it has the file's size; begins where an earlier try ended.

        Raises Cancelled, BadInput (gone, refused), or KomaError that is not permanent when the network stays away.
        """
        url = self._url(remote.repository, "resolve", remote.commit, remote.path)
        tries = 0
        while (have := _size(to)) < remote.size or not to.exists():
            try:
                self._append(url, remote, to, progress=progress, stop=stop)
                if _size(to) <= have and remote.size:
                    raise http.client.IncompleteRead(b"")
            except urllib.error.HTTPError as error:
                if error.code not in WAITS:
                    raise self._refused(error, f"{remote.repository}: {remote.path}") from error
                problem: Exception = error
            except NETWORK as error:
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
        request = self._request(url)
        if have:
            request.add_header("Range", f"bytes={have}-")
        with self._follow.open(request, timeout=self.timeout_s) as answer:
            if have and not _continues(answer, have, remote.size):  # it sends everything again
                progress(-have)
                have = 0
            with to.open("r+b" if have else "wb") as file:
                file.seek(have)
                while block := answer.read1(CHUNK):
                    if stop():
                        raise Cancelled(f"Stopped; what is there of {remote.path} stays for the next time.")
                    have += len(block)
                    if have > remote.size:
                        raise BadInput(f"{self.host} sends more of {remote.path} than it told. It was not kept.")
                    file.write(block)
                    progress(len(block))

    def _head(self, url: str) -> HTTPMessage | None:
        """Headers of the file itself: relative redirects (a renamed repository) are followed, others answer already."""
        for _ in range(REDIRECTS_MAX):
            try:
                with self._stay.open(self._request(url, method="HEAD"), timeout=self.timeout_s) as answer:
                    found: HTTPMessage = answer.headers
                    return found
            except urllib.error.HTTPError as error:
                with error:
                    if error.code == 404:
                        return None
                    if error.code not in (301, 302, 303, 307, 308):
                        raise
                    found = error.headers  # type: ignore[assignment] # typed as its base class
                    if found.get("X-Linked-Etag"):
                        return found
                    following = urljoin(url, found.get("Location", ""))
                    if urlsplit(following).scheme not in {"https", urlsplit(url).scheme}:
                        raise
                    url = following
        raise BadInput(f"{self.host} redirects without an end.")

    def _json(self, url: str) -> Any:
        with self._follow.open(self._request(url), timeout=self.timeout_s) as answer:
            text, until = b"", time.monotonic() + ANSWER_S_MAX
            while part := answer.read1(CHUNK):
                text += part
                if len(text) > ANSWER_BYTES_MAX or time.monotonic() > until:
                    raise BadInput(f"{self.host} answers with more than {ANSWER_BYTES_MAX:,} bytes, or without an end.")
        return outside_json.parsed(text)

    def _retried(self, ask: Callable[[], Any], what: str, stop: Stop) -> Any:
        for attempt in range(1, TRIES + 1):
            if stop():
                raise Cancelled("Stopped; what is there stays for the next time.")
            try:
                return ask()
            except urllib.error.HTTPError as error:
                if error.code not in WAITS:
                    raise self._refused(error, what) from error
                problem: Exception = error
            except ValueError as error:
                raise BadInput(f"{what}: {self.host} does not answer as a model hub does.") from error
            except NETWORK as error:
                problem = error
            if attempt < TRIES:
                self._wait(attempt, stop)
        raise self._away(problem, what) from problem

    def _request(self, url: str, *, method: str = "GET") -> urllib.request.Request:
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if self._token and urlsplit(url)[:2] == urlsplit(self.base)[:2]:
            headers["Authorization"] = f"Bearer {self._token}"
        return urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - http(s) by the settings

    def _url(self, repository: str, what: str, revision: str, path: str) -> str:
        if not REPOSITORY.fullmatch(repository) or not path or any(p in ("", ".", "..") for p in path.split("/")):
            raise BadInput(f"{repository!r}, {path!r}: this is no file of a model hub.")
        return f"{self.base}/{repository}/{what}/{quote(revision, safe='')}/{quote(path)}"

    def _repository(self, repository: str) -> str:
        if not REPOSITORY.fullmatch(repository):
            raise BadInput(f"{repository!r} is no repository of a model hub.")
        kind = "" if repository.startswith("datasets/") else "models/"
        return f"{self.base}/api/{kind}{repository}"

    def _wait(self, tries: int, stop: Stop) -> None:
        until = time.monotonic() + self.wait_s * 2 ** max(0, tries - 1)
        while time.monotonic() < until:
            if stop():
                raise Cancelled("Stopped; what is there stays for the next time.")
            time.sleep(min(0.2, self.wait_s))

    def _refused(self, error: urllib.error.HTTPError, what: str) -> KomaError:
        if error.code in (401, 403):
            return BadInput(
                f"{what}: {self.host} wants to know who asks ({error.code}). Accept the model's terms on its page, "
                "and set KOMA_HUB_TOKEN to your token; or import the files from a folder."
            )
        if error.code == 404:
            return BadInput(f"{what}: this is not (or no longer) on {self.host}.")
        return BadInput(f"{what}: {self.host} refuses it: {_words(error)}.")

    def _away(self, problem: Exception, what: str) -> KomaError:
        return KomaError(
            f"{what}: {self.host} cannot be reached or breaks off ({_words(problem)}). What is there stays; try again "
            "later, set KOMA_HUB_URL to a mirror, or import the files from a folder.",
            permanent=False,
        )


def _words(problem: Exception) -> str:
    if isinstance(problem, urllib.error.HTTPError):
        return plain_text(f"{problem.code} {problem.reason}")
    return plain_text(str(getattr(problem, "reason", problem))) or type(problem).__name__


def _disk(error: OSError, to: Path) -> KomaError:
    return KomaError(
        f"{to.name} cannot be written in {to.parent}: {error.strerror}. What was fetched stays; make room and go on, "
        "or remove it.",
        permanent=False,
    )


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"').lower()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _continues(answer: Any, have: int, size: int) -> bool:
    """True when the answer is the rest from `have` of a file of that size."""
    if answer.status != http.client.PARTIAL_CONTENT:
        return False
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have or found[2] not in ("*", str(size)):
        raise http.client.BadStatusLine(f"another part than asked for: {answer.headers.get('Content-Range')!r}")
    return True
