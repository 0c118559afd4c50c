"""The bundled Redis: starts, answers, leaves nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from redis import Redis

from project.serve.redis_server import RedisProblem, RedisServer


def test_it_answers_at_its_socket_and_ends_when_told(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    server.start()
    assert server.process is not None
    pid = server.process.pid
    with Redis.from_url(server.url) as client:
        client.set("a", "1")
    server.stop()
    assert not server.socket.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_it_held_is_there_after_a_second_start(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        server = RedisServer(tmp_path / "redis")
        server.start()
        with Redis.from_url(server.url) as client:
            assert client.get("word") == expected
            client.set("word", "kept")
        server.stop()


def test_the_socket_of_a_killed_one_is_cleaned_up(tmp_path: Path) -> None:
    killed = RedisServer(tmp_path / "redis")
    killed.start()
    assert killed.process is not None
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait()
    assert killed.socket.exists()
    again = RedisServer(tmp_path / "redis")
    again.start()
    assert again.answers()
    again.stop()


def test_a_live_one_that_was_left_behind_is_ended(tmp_path: Path) -> None:
    orphan = RedisServer(tmp_path / "redis")
    orphan.start()
    again = RedisServer(tmp_path / "redis")
    again.start()
    assert orphan.process is not None
    assert orphan.process.wait(timeout=10) == 0
    again.stop()


def test_a_path_too_long_for_a_socket_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(RedisProblem, match="KOMA_DATA_DIR"):
        RedisServer(tmp_path / ("x" * 120)).start()
