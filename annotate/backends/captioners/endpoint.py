"""Captions from any server that speaks OpenAI's chat interface with pictures (vLLM, llama.cpp, Ollama, paid ones).

Only the one address of the settings is ever asked: no redirects, no proxies. Answers are text from outside.
"""

from __future__ import annotations

import base64
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from annotate.algorithms.caption_prompts import SYSTEM, clean
from annotate.backends.contract import CaptionAsk, CaptionTold, ModelInfo
from annotate.backends.http_client import SERVER_ERRORS, WAIT_MIN_S, HttpClient
from ingest import outside_json
from ingest.errors import BadInput, Cancelled

ATTEMPTS = 5
BACK_OFF_S = 0.5  # doubled with each attempt, half of it by chance
BATCH_S = 300.0  # in which tries of one call may begin; one that has begun keeps its whole timeout
GRACE_S = 2.0  # for threads to end by themselves; only the lookup of the server's name can take longer
SILENCE_S = 180.0  # without one byte of the server while it is asked: then it hangs
LISTEN_S = 0.5  # how often a call looks whether it was cancelled and whether the server hangs
WAIT_MAX_S = 60.0  # longer waits that the server asks for count as a failure
BODY_MAX = 1 << 20
WORDS_MAX = 300  # characters of a server's own message
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Next(Enum):
    """What follows a try: GONE is tried again, and means BROKEN when no try got through."""

    DONE, AGAIN, GONE, BROKEN = range(4)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to ask; `key` is never shown. `url` is the base, such as http://127.0.0.1:8000/v1."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    in_flight: int = 8
    timeout_s: float = 120.0
    max_tokens: int = 300
    batch_s: float = BATCH_S
    silence_s: float = SILENCE_S


class ChatEndpoint:
    """A Captioner. Each ask is tried ATTEMPTS times; a server that is gone, silent or refuses us makes it `broken`."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        attempts: int = ATTEMPTS,
        back_off_s: float = BACK_OFF_S,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`alive` is called every LISTEN_S while we wait; Cancelled from it ends a call with what was answered."""
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("KOMA_CAPTION_URL must be an address such as http://127.0.0.1:8000/v1.")
        self._endpoint, self._attempts, self._back_off_s = endpoint, attempts, back_off_s
        self._host, self._port = parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/') or '/v1'}/chat/completions"
        self._batch_s = min(endpoint.batch_s, BATCH_S)
        # One answer may take its timeout, so a shorter silence says nothing.
        self._silence_s = max(endpoint.silence_s, endpoint.timeout_s)
        self._alive = alive
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._quiet_since: float | None = None  # of the first question since the server was heard
        self._why = ""
        self._hold_until = 0.0  # all wait when the server asks one to
        self.in_flight = endpoint.in_flight
        self._address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], self._path, "", ""))
        self._client = HttpClient(tls=parts.scheme == "https", keep=self.in_flight, on_bytes=self._heard)
        self.device = f"{self._host}{f':{self._port}' if self._port else ''}"
        self.info = ModelInfo(
            task="caption", name=endpoint.model, revision="", settings={"max_tokens": endpoint.max_tokens}
        )

    def close(self) -> None:
        """Close the connections that are kept for the next question."""
        self._client.close()

    @property
    def broken(self) -> str:
        return self._why

    def caption(self, asks: Sequence[CaptionAsk]) -> list[CaptionTold]:
        """See the contract. No try begins after BATCH_S; it returns with the last that had begun, or with a cancel."""
        if not asks:
            return []
        until = time.monotonic() + self._batch_s
        pool = ThreadPoolExecutor(max(1, min(self.in_flight, len(asks))))
        try:
            futures = [pool.submit(self._ask, ask, until) for ask in asks]
            self._listen(futures, until + self._endpoint.timeout_s + GRACE_S)
            return [self._outcome(future) for future in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _listen(self, asked: Sequence[Future[CaptionTold]], end: float) -> None:
        """Wait for all, for a cancel, or for the server's silence; the last two end what is out."""
        while (left := end - time.monotonic()) > 0 and wait(asked, timeout=min(LISTEN_S, left)).not_done:
            if self._stop.is_set():
                break
            try:
                self._alive()
            except Cancelled as cancelled:
                self._end_all(cancelled.message)
            quiet = self._quiet_since
            if quiet is not None and time.monotonic() - quiet > self._silence_s:
                self._end_all(self._silent())
        if self._stop.is_set():  # the threads see it and end
            wait(asked, timeout=max(0, min(GRACE_S, end - time.monotonic())))

    def _end_all(self, why: str) -> None:
        """Answers that came stay; nobody waits for the others."""
        with self._guard:
            self._why = self._why or why
            self._stop.set()
        self._client.end_all()

    def _silent(self) -> str:
        return self._problem(
            f"(KOMA_CAPTION_URL) is asked but has been silent for {self._silence_s:g} s, so the run stops. Captions "
            "made before are kept. See whether that server works on our questions: its log, its memory, whether its "
            "model is loaded; restart it. If it is only slow, raise KOMA_CAPTION_TIMEOUT_S and KOMA_CAPTION_SILENCE_S. "
            "Then press Retry"
        ).problem

    def _heard(self) -> None:
        self._quiet_since = None

    def _outcome(self, asked: Future[CaptionTold]) -> CaptionTold:
        if asked.cancel():
            return CaptionTold(problem=self._why) if self._why else self._unasked()
        if asked.done():
            return asked.result()
        if self._why:
            return CaptionTold(problem=self._why)
        return self._problem(f"did not answer within {self._endpoint.timeout_s:g} s")

    def _unasked(self) -> CaptionTold:
        return replace(
            self._problem(f"was not asked about this picture: {self._batch_s:g} s were over"), postponed=True
        )

    def _ask(self, ask: CaptionAsk, until: float) -> CaptionTold:
        """The answer; no try begins after `until` by the clock of time.monotonic()."""
        body = self._body(ask)
        outcome = self._unasked()
        next_step = Next.AGAIN
        for attempt in range(self._attempts):
            pause = self._hold_until - time.monotonic()
            if attempt:
                pause = max(pause, self._back_off_s * 2 ** (attempt - 1) * (0.5 + random.random()))
            in_time = time.monotonic() + max(pause, 0) < until
            if pause > 0 and in_time:
                self._stop.wait(pause)
            if self._stop.is_set():
                return CaptionTold(problem=self._why)
            if not in_time:
                break
            outcome, next_step = self._try(body)
            if self._stop.is_set() and not outcome.text:  # hung up by ourselves
                return CaptionTold(problem=self._why)
            if next_step in (Next.DONE, Next.BROKEN):
                break
        if next_step in (Next.BROKEN, Next.GONE):
            self._why = self._why or outcome.problem
            self._stop.set()
        return outcome

    def _try(self, body: bytes) -> tuple[CaptionTold, Next]:
        """The answer or the problem, and what to do next."""
        within = max(WAIT_MIN_S, self._endpoint.timeout_s)
        if self._quiet_since is None:
            self._quiet_since = time.monotonic()
        try:
            status, retry_after, data = self._post(body, within)
        except ssl.SSLCertVerificationError as error:
            return self._problem(f"has no valid certificate ({error.verify_message})"), Next.BROKEN
        except TimeoutError:
            return self._problem(f"did not answer within {within:.3g} s"), Next.AGAIN
        except (ConnectionRefusedError, socket.gaierror) as error:
            why = error.strerror or str(error)
            return self._problem(f"cannot be reached ({why}). Start the server, or set KOMA_CAPTION_URL"), Next.GONE
        except httpx.TimeoutException:
            return self._problem(f"did not answer within {within:.3g} s"), Next.AGAIN
        except SERVER_ERRORS as error:
            return self._problem(f"broke off ({type(error).__name__})"), Next.AGAIN
        if status == 200:
            return _told(data), Next.DONE
        words = _words(data)
        if status in AGAIN:
            hold = _seconds(retry_after)
            if hold > WAIT_MAX_S:
                return self._problem(f"asks to wait {hold:.0f} s ({status}). Try again later"), Next.BROKEN
            self._hold_until = max(self._hold_until, time.monotonic() + hold)
            return self._problem(f"could not answer ({status}). {words}"), Next.AGAIN
        if status in (401, 403):
            return self._problem(f"refuses us ({status}). Set KOMA_CAPTION_KEY to a key that it takes"), Next.BROKEN
        if status == 404:
            model = self._endpoint.model
            return self._problem(f"has no model {model!r}, or no {self._path} (404). {words}"), Next.BROKEN
        if 300 <= status < 400:
            why = f"redirects elsewhere ({status}), which is not followed. Set KOMA_CAPTION_URL to the final address"
            return self._problem(why), Next.BROKEN
        return self._problem(f"refuses this picture ({status}). {words}"), Next.DONE

    def _problem(self, why: str) -> CaptionTold:
        return CaptionTold(problem=f"{self.device} {why.strip().rstrip('.')}.")

    def _body(self, ask: CaptionAsk) -> bytes:
        picture = f"data:image/jpeg;base64,{base64.b64encode(ask.jpeg).decode('ascii')}"
        content = [{"type": "text", "text": ask.prompt}, {"type": "image_url", "image_url": {"url": picture}}]
        return json.dumps(
            {
                "model": self._endpoint.model,
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}],
                "max_tokens": self._endpoint.max_tokens,
                "temperature": 0,
            }
        ).encode()

    def _post(self, body: bytes, within: float) -> tuple[int, str, bytes]:
        """Status, Retry-After and at most BODY_MAX + 1 bytes.

        The whole exchange has `within` seconds, however it drips and from connecting on.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        data = b""
        with self._client.stream("POST", self._address, headers, body, until=time.monotonic() + within) as response:
            for part in response.iter_raw():
                data += part
                if len(data) > BODY_MAX:
                    break
        return response.status_code, response.headers.get("retry-after", ""), data


def _told(data: bytes) -> CaptionTold:
    """The words of a chat answer, cleaned; a problem when there are none."""
    if len(data) > BODY_MAX:
        return CaptionTold(problem="the answer has more than 1 MB")
    try:
        choice = outside_json.parsed(data)["choices"][0]
        content = choice["message"]["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part.get("type") == "text")
        if not isinstance(content, str):
            raise TypeError
        unfinished = choice.get("finish_reason") == "length"
    except (ValueError, TypeError, LookupError, AttributeError):
        return CaptionTold(problem="the answer is no chat answer in OpenAI's form")
    text, cut = clean(content)
    if not text:
        return CaptionTold(problem="the answer holds no words")
    return CaptionTold(text=text, cut=cut or unfinished)


def _words(data: bytes) -> str:
    """What a server says of its refusal, short; it may hold anything."""
    try:
        message: Any = outside_json.parsed(data[:BODY_MAX])
        while isinstance(message, dict):
            message = message.get("error", message.get("message", message.get("detail", "")))
    except ValueError:
        message = data[:WORDS_MAX].decode("utf-8", "replace")
    return clean(str(message)[:WORDS_MAX])[0] if message else ""


def _seconds(retry_after: str) -> float:
    """Retry-After as seconds, given as a number or as a date; 0 for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
