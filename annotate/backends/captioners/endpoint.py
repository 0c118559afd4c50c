"""Captions from any server with an OpenAI-compatible chat API for pictures (vLLM, llama.cpp, Ollama, paid services).

Only the address in the settings is ever contacted: no redirects, no proxies. Responses are untrusted text.
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
from annotate.backends.contract import CaptionAsk, CaptionResult, ModelInfo
from annotate.backends.http_client import SERVER_ERRORS, WAIT_MIN_S, HttpClient
from ingest import outside_json
from ingest.errors import BadInput, Cancelled

ATTEMPTS = 5
BACK_OFF_S = 0.5  # doubled with each attempt, half of it random
BATCH_S = 300.0  # within which attempts of one call may begin; one that has begun keeps its full timeout
GRACE_S = 2.0  # for threads to end by themselves; only the DNS lookup can take longer
SILENCE_S = 180.0  # without a byte from the server during a request: then it hangs
LISTEN_S = 0.5  # how often a call checks whether it was cancelled and whether the server hangs
WAIT_MAX_S = 60.0  # longer waits requested by the server count as a failure
BODY_MAX = 1 << 20
WORDS_MAX = 300  # characters of a server's own message
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Next(Enum):
    """What to do after an attempt. GONE is retried, and counts as BROKEN when no attempt got through."""

    DONE, AGAIN, GONE, BROKEN = range(4)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A captioning server and its settings; `key` is never shown. `url` is the base: http://127.0.0.1:8000/v1."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    in_flight: int = 8
    timeout_s: float = 120.0
    max_tokens: int = 300
    batch_s: float = BATCH_S
    silence_s: float = SILENCE_S


class ChatEndpoint:
    """A Captioner over HTTP that attempts each request several times. An unreachable or silent server, or one that
    refuses access, makes it `broken`."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        attempts: int = ATTEMPTS,
        back_off_s: float = BACK_OFF_S,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`alive` is called every LISTEN_S of a wait; if it raises Cancelled, the call ends with the answers so far."""
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("KOMA_CAPTION_URL must be an address such as http://127.0.0.1:8000/v1.")
        self._endpoint, self._attempts, self._back_off_s = endpoint, attempts, back_off_s
        self._host, self._port = parts.hostname, parts.port
        self._path = f"{parts.path.rstrip('/') or '/v1'}/chat/completions"
        self._batch_s = min(endpoint.batch_s, BATCH_S)
        # One response may take its full timeout, so a shorter silence means nothing.
        self._silence_s = max(endpoint.silence_s, endpoint.timeout_s)
        self._alive = alive
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._quiet_since: float | None = None  # start of the first request since the server last sent a byte
        self._why = ""
        self._hold_until = 0.0  # all requests wait when the server asks one to
        self.in_flight = endpoint.in_flight
        self._address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], self._path, "", ""))
        self._client = HttpClient(tls=parts.scheme == "https", keep=self.in_flight, on_bytes=self._note_byte)
        self.device = f"{self._host}{f':{self._port}' if self._port else ''}"
        self.info = ModelInfo(
            task="caption", name=endpoint.model, revision="", settings={"max_tokens": endpoint.max_tokens}
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    @property
    def broken(self) -> str:
        return self._why

    def caption(self, asks: Sequence[CaptionAsk]) -> list[CaptionResult]:
        """See the contract. No attempt begins after BATCH_S; returns when the last one ends or on cancel."""
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

    def _listen(self, futures: Sequence[Future[CaptionResult]], end: float) -> None:
        """Wait until all requests are done. A cancel, or a server that is silent for too long, ends the open ones."""
        while (left := end - time.monotonic()) > 0 and wait(futures, timeout=min(LISTEN_S, left)).not_done:
            if self._stop.is_set():
                break
            try:
                self._alive()
            except Cancelled as cancelled:
                self._end_all(cancelled.message)
            quiet = self._quiet_since
            if quiet is not None and time.monotonic() - quiet > self._silence_s:
                self._end_all(self._silent())
        if self._stop.is_set():  # the threads check it and end
            wait(futures, timeout=max(0, min(GRACE_S, end - time.monotonic())))

    def _end_all(self, why: str) -> None:
        """End all open requests; answers received so far are kept."""
        with self._guard:
            self._why = self._why or why
            self._stop.set()
        self._client.end_all()

    def _silent(self) -> str:
        return self._problem(
            f"(KOMA_CAPTION_URL) has been silent for {self._silence_s:g} s during a request, so the run stops. "
            "Captions made before are kept. Check the server (log, memory, loaded model) and restart it. "
            "If it is only slow, raise KOMA_CAPTION_TIMEOUT_S and KOMA_CAPTION_SILENCE_S. Then press Retry"
        ).problem

    def _note_byte(self) -> None:
        self._quiet_since = None

    def _outcome(self, future: Future[CaptionResult]) -> CaptionResult:
        if future.cancel():
            return CaptionResult(problem=self._why) if self._why else self._unasked()
        if future.done():
            return future.result()
        if self._why:
            return CaptionResult(problem=self._why)
        return self._problem(f"did not answer within {self._endpoint.timeout_s:g} s")

    def _unasked(self) -> CaptionResult:
        return replace(
            self._problem(f"was not sent this picture: the limit of {self._batch_s:g} s was reached"),
            postponed=True,
        )

    def _ask(self, ask: CaptionAsk, until: float) -> CaptionResult:
        """Return the answer for one picture; no attempt begins after `until` (time.monotonic())."""
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
                return CaptionResult(problem=self._why)
            if not in_time:
                break
            outcome, next_step = self._try(body)
            if self._stop.is_set() and not outcome.text:  # closed by this side
                return CaptionResult(problem=self._why)
            if next_step in (Next.DONE, Next.BROKEN):
                break
        if next_step in (Next.BROKEN, Next.GONE):
            self._why = self._why or outcome.problem
            self._stop.set()
        return outcome

    def _try(self, body: bytes) -> tuple[CaptionResult, Next]:
        """Make one attempt: the answer or the problem, and what to do next."""
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
            return self._problem(f"closed the connection ({type(error).__name__})"), Next.AGAIN
        if status == 200:
            return _caption_of(data), Next.DONE
        words = _words(data)
        if status in AGAIN:
            hold = _seconds(retry_after)
            if hold > WAIT_MAX_S:
                return self._problem(f"asks to wait {hold:.0f} s ({status}). Try again later"), Next.BROKEN
            self._hold_until = max(self._hold_until, time.monotonic() + hold)
            return self._problem(f"could not answer ({status}). {words}"), Next.AGAIN
        if status in (401, 403):
            return self._problem(f"refuses access ({status}). Set KOMA_CAPTION_KEY to a valid key"), Next.BROKEN
        if status == 404:
            model = self._endpoint.model
            return self._problem(f"has no model {model!r}, or no {self._path} (404). {words}"), Next.BROKEN
        if 300 <= status < 400:
            why = f"redirects elsewhere ({status}), which is not followed. Set KOMA_CAPTION_URL to the final address"
            return self._problem(why), Next.BROKEN
        return self._problem(f"refuses this picture ({status}). {words}"), Next.DONE

    def _problem(self, why: str) -> CaptionResult:
        return CaptionResult(problem=f"{self.device} {why.strip().rstrip('.')}.")

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
        """Send a request: status, Retry-After and at most BODY_MAX + 1 bytes of the body.

        The whole exchange, including the connect, is limited to `within` seconds, however slowly its bytes arrive.
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


def _caption_of(data: bytes) -> CaptionResult:
    """Extract the text of a chat response, cleaned; a problem when there is none."""
    if len(data) > BODY_MAX:
        return CaptionResult(problem="the response is larger than 1 MB")
    try:
        choice = outside_json.parsed(data)["choices"][0]
        content = choice["message"]["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part.get("type") == "text")
        if not isinstance(content, str):
            raise TypeError
        unfinished = choice.get("finish_reason") == "length"
    except (ValueError, TypeError, LookupError, AttributeError):
        return CaptionResult(problem="the response is not in OpenAI's chat format")
    text, cut = clean(content)
    if not text:
        return CaptionResult(problem="the response holds no text")
    return CaptionResult(text=text, cut=cut or unfinished)


def _words(data: bytes) -> str:
    """Extract a short message from a server's error response, which may hold anything."""
    try:
        message: Any = outside_json.parsed(data[:BODY_MAX])
        while isinstance(message, dict):
            message = message.get("error", message.get("message", message.get("detail", "")))
    except ValueError:
        message = data[:WORDS_MAX].decode("utf-8", "replace")
    return clean(str(message)[:WORDS_MAX])[0] if message else ""


def _seconds(retry_after: str) -> float:
    """Convert Retry-After, a number or a date, to seconds; 0 for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
