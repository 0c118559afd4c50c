"""The captions' client against a real server that answers well, badly, late, never, and elsewhere."""

from __future__ import annotations

import io
import json
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from PIL import Image

from annotate.backends.captioners import endpoint as caption_endpoint
from annotate.backends.captioners.endpoint import ChatEndpoint, Endpoint
from annotate.backends.contract import CaptionAsk, Captioner
from ingest.errors import BadInput, Cancelled
from tests.annotate.chat_server import ChatServer, Reply, serving

KEY = "sk-very-secret-1234"


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 10), (250, 120, 60)).save(out, "JPEG")
    return out.getvalue()


ASK = CaptionAsk("What is there?", jpeg())


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving(ChatServer()) as running:
        yield running


def client(server: ChatServer, *, attempts: int = 3, **more: object) -> ChatEndpoint:
    values = {"url": server.url, "model": "tiny-vl", "key": KEY, "timeout_s": 5.0} | more
    return ChatEndpoint(Endpoint(**values), attempts=attempts, back_off_s=0.01)  # type: ignore[arg-type]


def test_the_picture_and_the_prompt_arrive_as_openai_wants_them(server: ChatServer) -> None:
    asker = client(server)
    assert isinstance(asker, Captioner)
    (answer,) = asker.caption([ASK])
    assert (answer.text, answer.problem, answer.cut) == ("Caption 1.", "", False)
    (request,) = server.asked
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert (request.body["model"], request.body["temperature"], request.body["max_tokens"]) == ("tiny-vl", 0, 300)
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert request.prompt == "What is there?"
    assert request.picture.size == (20, 10)


@pytest.mark.parametrize(
    ("path", "asked"), [("", "/v1"), ("/", "/v1"), ("/v1/", "/v1"), ("/api/v1", "/api/v1"), ("/openai", "/openai")]
)
def test_a_base_without_a_path_means_v1(server: ChatServer, path: str, asked: str) -> None:
    client(server, url=f"http://127.0.0.1:{server.port}{path}").caption([ASK])
    assert server.asked[0].path == f"{asked}/chat/completions"


def test_without_a_key_none_is_sent(server: ChatServer) -> None:
    client(server, key="").caption([ASK])
    assert "Authorization" not in server.asked[0].headers


def test_many_are_asked_at_once_and_answered_in_order(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says=f"about {request.prompt}", wait_s=0.05)
    answers = client(server, in_flight=4).caption([CaptionAsk(str(number), jpeg()) for number in range(12)])
    assert [answer.text for answer in answers] == [f"about {number}" for number in range(12)]
    assert server.at_once_most == 4


def test_errors_of_the_server_are_tried_again(server: ChatServer) -> None:
    replies = {1: Reply(status=500), 2: Reply(status=503, body=b"busy")}
    server.answer = lambda number, request: replies.get(number, Reply(says="at last"))
    (answer,) = client(server).caption([ASK])
    assert answer.text == "at last"
    assert len(server.asked) == 3


def test_after_the_last_attempt_the_reason_is_reported_and_the_next_picture_is_asked(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(
        status=500, body=json.dumps({"error": {"message": "CUDA out of\nmemory"}}).encode()
    ) if request.prompt == "bad" else Reply(says="good")  # fmt: skip
    asker = client(server, in_flight=1)
    bad, good = asker.caption([CaptionAsk("bad", jpeg()), CaptionAsk("good", jpeg())])
    assert bad.problem.endswith("could not answer (500). CUDA out of memory.")
    assert good.text == "good"
    assert not asker.broken
    assert len(server.asked) == 4


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed_by_all(server: ChatServer, form: str) -> None:
    value = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)  # dates have whole seconds
    server.answer = lambda number, request: (
        Reply(status=429, headers={"Retry-After": value}) if number == 1 else Reply(says="now")
    )
    answers = client(server, in_flight=1).caption([ASK, ASK])
    assert [answer.text for answer in answers] == ["now", "now"]
    assert server.asked[1].at - server.asked[0].at > 0.9


def test_a_server_that_wants_us_to_wait_for_long_ends_it(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(status=429, headers={"Retry-After": "86400"})
    asker = client(server, in_flight=1)
    answers = asker.caption([ASK, ASK])
    assert "asks to wait 86400 s (429)" in asker.broken
    assert len(server.asked) == 1
    assert answers[1].problem == asker.broken


def test_a_slow_answer_is_given_up_and_tried_again(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="late", wait_s=1.0 if number == 1 else 0)
    (answer,) = client(server, timeout_s=0.3).caption([ASK])
    assert answer.text == "late"
    assert len(server.asked) == 2


def test_an_answer_that_drips_is_given_up_as_a_whole(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="x" * 200, drip_s=0.05)
    before = time.monotonic()
    (answer,) = client(server, timeout_s=0.4, attempts=1).caption([ASK])
    assert "did not answer within 0.4 s" in answer.problem
    assert time.monotonic() - before < 3


def test_all_asks_have_one_deadline_and_answers_that_came_by_then_are_kept(server: ChatServer) -> None:
    server.answer = lambda number, asked_before: Reply(says="good", wait_s=0 if asked_before.prompt == "good" else 1.0)
    asker = client(server, in_flight=2, timeout_s=0.3, batch_s=0.8, attempts=5)
    before = time.monotonic()
    answers = asker.caption([CaptionAsk(prompt, jpeg()) for prompt in ("good", "slow", "slow", "slow", "slow")])
    assert time.monotonic() - before < 0.8 + caption_endpoint.GRACE_S
    assert answers[0].text == "good"
    assert "did not answer within" in answers[1].problem and not answers[1].postponed
    assert "was not sent this picture: the limit of 0.8 s was reached" in answers[4].problem and answers[4].postponed
    assert not asker.broken
    asked_before = len(server.asked)
    time.sleep(0.5)
    assert len(server.asked) == asked_before  # no retry began after the deadline


def test_a_question_that_is_out_when_the_time_of_its_batch_is_over_is_waited_for(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says=f"answer {number}", wait_s=1.0)
    first, second = client(server, timeout_s=600, batch_s=0.3, in_flight=1).caption([ASK, ASK])
    assert first.text == "answer 1"
    assert second.postponed and len(server.asked) == 1


def test_even_a_thread_that_hangs_keeps_nobody_waiting(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real, go_on = socket.getaddrinfo, threading.Event()

    def slow(host: object, *args: object, **more: object) -> object:
        go_on.wait(5)
        return real("127.0.0.1", server.port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(caption_endpoint, "GRACE_S", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    before = time.monotonic()
    answers = client(server, in_flight=1, batch_s=0.2, timeout_s=0.3, silence_s=60).caption([ASK, ASK])
    assert time.monotonic() - before < 3
    go_on.set()
    assert "did not answer within 0.3 s" in answers[0].problem
    assert answers[1].postponed


@contextmanager
def never_answering() -> Iterator[str]:
    """The address of a socket that takes connections, and their questions, and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/v1"


def test_a_server_that_takes_questions_and_stays_silent_breaks_the_client_with_a_message() -> None:
    with never_answering() as url:
        asker = ChatEndpoint(Endpoint(url=url, model="m", in_flight=1, timeout_s=0.5, silence_s=1.2), back_off_s=0.01)
        before = time.monotonic()
        answers = asker.caption([ASK] * 4)
        assert 1.0 < time.monotonic() - before < 6
    assert f"{url.split('/')[2]} (KOMA_CAPTION_URL) has been silent for 1.2 s" in asker.broken
    assert "raise KOMA_CAPTION_TIMEOUT_S and KOMA_CAPTION_SILENCE_S. Then press Retry." in asker.broken
    assert [answer.problem for answer in answers] == [asker.broken] * 4


def test_silence_never_ends_sooner_than_the_patience_with_one_answer(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="late", wait_s=1.5)
    asker = client(server, timeout_s=30, silence_s=0.2)
    assert asker.caption([ASK])[0].text == "late"
    assert not asker.broken


def test_one_question_that_hangs_is_no_silence_while_others_are_answered(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="good", wait_s=3.0 if request.prompt == "hangs" else 0.3)
    asker = client(server, in_flight=2, timeout_s=0.9, silence_s=1.0, attempts=2)
    answers = asker.caption([CaptionAsk("hangs", jpeg()), *[ASK] * 6])
    assert [answer.text for answer in answers] == ["", *["good"] * 6]
    assert "did not answer within 0.9 s" in answers[0].problem and not asker.broken


def test_an_answer_that_comes_slowly_is_no_silence(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="A girl waves.", drip_s=0.03)
    asker = client(server, timeout_s=30, silence_s=1.0)
    asker._silence_s = 1.0  # shorter than the patience with one answer, which no setting can make it
    before = time.monotonic()
    assert asker.caption([ASK])[0].text == "A girl waves."
    assert time.monotonic() - before > 1.5


def test_a_cancel_ends_a_call_soon_with_what_was_answered(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="good", wait_s=0 if number == 1 else 20)

    def alive() -> None:
        if len(server.asked) > 1:
            raise Cancelled("Cancelled.")

    asker = ChatEndpoint(Endpoint(url=server.url, model="m", in_flight=1, timeout_s=60), alive=alive)
    before = time.monotonic()
    answers = asker.caption([ASK] * 3)
    assert time.monotonic() - before < 5
    assert [answer.text for answer in answers] == ["good", "", ""]
    assert {answer.problem for answer in answers[1:]} == {"Cancelled."}


def test_the_deadline_of_an_exchange_holds_for_a_handshake_that_never_comes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1"
        asker = ChatEndpoint(Endpoint(url=url, model="m", timeout_s=0.4), attempts=1)
        before = time.monotonic()
        (answer,) = asker.caption([ASK])
        assert time.monotonic() - before < 2
        assert "did not answer within 0.4 s" in answer.problem


def test_a_connection_that_is_hung_up_is_tried_again(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(hang_up=True) if number == 1 else Reply(says="there")
    (answer,) = client(server).caption([ASK])
    assert answer.text == "there"


def test_a_server_that_is_not_there_breaks_the_client_with_a_message() -> None:
    with serving(ChatServer()) as server:
        asker = client(server, in_flight=2)
    answers = asker.caption([ASK] * 5)
    assert "cannot be reached" in asker.broken
    assert "Start the server, or set KOMA_CAPTION_URL" in asker.broken
    assert {answer.text for answer in answers} == {""}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "Set KOMA_CAPTION_KEY"),
        (403, "refuses access (403)"),
        (404, "has no model 'tiny-vl'"),
        (302, "not followed"),
    ],
)
def test_what_no_retry_can_mend_ends_it_at_once(server: ChatServer, status: int, words: str) -> None:
    server.answer = lambda number, request: Reply(status=status, headers={"Location": "http://169.254.169.254/secrets"})
    asker = client(server, in_flight=1)
    asker.caption([ASK, ASK])
    assert words in asker.broken
    assert len(server.asked) == 1
    assert "169.254" not in asker.broken


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate of this test")
def test_over_https_a_certificate_of_nobody_is_refused_and_a_known_one_is_taken(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(ChatServer(), tls=context) as secure:
        url = f"https://127.0.0.1:{secure.port}/v1"
        stranger = client(server, url=url)
        stranger.caption([ASK])
        assert "has no valid certificate" in stranger.broken
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (answer,) = client(server, url=url).caption([ASK])
        assert answer.text == "Caption 1."
        secure.answer = lambda number, request: Reply(says="x" * 200, drip_s=0.05)
        (late,) = client(server, url=url, timeout_s=0.4, attempts=1).caption([ASK])
        assert "did not answer within 0.4 s" in late.problem


def test_a_redirect_is_never_followed(server: ChatServer) -> None:
    with serving(ChatServer()) as other:
        server.answer = lambda number, request: Reply(status=307, headers={"Location": f"{other.url}/chat/completions"})
        client(server).caption([ASK])
        assert other.asked == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>busy</html>", "not in OpenAI's chat format"),
        (b"{}", "not in OpenAI's chat format"),
        (b'{"choices": []}', "not in OpenAI's chat format"),
        (b'{"choices": [{"message": {"content": null}}]}', "not in OpenAI's chat format"),
        (b'{"choices": [{"message": {"content": "  \\u0000 "}}]}', "holds no text"),
        (b"[" * 200_000, "not in OpenAI's chat format"),
        (b'{"choices": [{"message": {"content": "' + b"y" * 1_100_000 + b'"}}]}', "larger than 1 MB"),
    ],
)
def test_garbage_is_a_failure_of_this_picture_alone(server: ChatServer, body: bytes, words: str) -> None:
    server.answer = lambda number, request: Reply(body=body) if number == 1 else Reply(says="fine")
    asker = client(server, in_flight=1)
    first, second = asker.caption([ASK, ASK])
    assert words in first.problem
    assert second.text == "fine"


def test_hostile_words_come_out_as_one_clean_line(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(
        says="<think>They want </think>\n\x1b[31mA <b>girl</b>\u202e waves.\r\n\x00 End."
    )
    (answer,) = client(server).caption([ASK])
    assert answer.text == "[31mA <b>girl</b> waves. End."


def test_long_words_are_cut_and_reported_so(server: ChatServer) -> None:
    server.answer = lambda number, request: Reply(says="word " * 5000)
    (answer,) = client(server).caption([ASK])
    assert answer.cut
    assert len(answer.text) <= 2000
    assert answer.text.endswith("word")


def test_an_answer_in_parts_is_read_and_one_that_ran_out_of_tokens_is_reported(server: ChatServer) -> None:
    parts = [{"type": "text", "text": "A girl "}, {"type": "audio"}, {"type": "text", "text": "waves."}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": "length"}]}
    server.answer = lambda number, request: Reply(body=json.dumps(body).encode())
    (answer,) = client(server).caption([ASK])
    assert (answer.text, answer.cut) == ("A girl waves.", True)


def test_the_key_is_in_no_text_and_no_log(server: ChatServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = lambda number, request: Reply(status=401, body=b"bad")
    asker = client(server)
    answers = asker.caption([ASK])
    text_shown = " ".join(
        (repr(asker), repr(asker._endpoint), repr(asker.info), asker.broken, repr(answers), caplog.text)
    )
    assert KEY not in text_shown


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "http://", "nonsense"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadInput, match="KOMA_CAPTION_URL"):
        ChatEndpoint(Endpoint(url=url, model="m"))


def test_seconds_of_odd_headers_are_none() -> None:
    for text in ("", "soon", "-5", "1e9", "²", "Sun, 99 Foo 2020"):
        assert caption_endpoint._seconds(text) == 0
    assert caption_endpoint._seconds("999999999999999999999") > 1e8


@pytest.mark.parametrize("in_flight", [1, 4])
def test_connections_are_kept_from_caption_to_caption(in_flight: int) -> None:
    with serving(ChatServer(), keep=True) as server:
        endpoint = ChatEndpoint(Endpoint(server.url, "m", in_flight=in_flight))
        for _ in range(5):
            answers = endpoint.caption([CaptionAsk("?", b"x")] * 8)
            assert all(answer.text for answer in answers)
        assert len(server.asked) == 40
        assert server.connections <= in_flight
        endpoint.close()


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew_without_a_lost_try() -> None:
    with serving(ChatServer(), keep=True) as server:
        endpoint = ChatEndpoint(Endpoint(server.url, "m"), attempts=1)
        assert endpoint.caption([CaptionAsk("?", b"x")])[0].text
        for connection in endpoint._client.open_sockets():
            connection.shutdown(socket.SHUT_RD)  # as seen from here
        assert endpoint.caption([CaptionAsk("?", b"x")])[0].text
        assert server.connections == 2
