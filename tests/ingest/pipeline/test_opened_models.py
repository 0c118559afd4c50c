"""Models that a persistent process keeps: those used last, none for ever, none while it is needed."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import pytest

from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.open_models import opened_once
from ingest.pipeline.opened_models import OpenedModels
from tests.annotate.picture_nets import write_means


class Closing:
    """Something that holds more than memory."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture()
def network(tmp_path: Path) -> Path:
    return write_means(tmp_path / "means.onnx")


def test_after_a_stage_those_used_last_stay_and_others_give_their_memory_back(network: Path) -> None:
    models = OpenedModels(models_max=2)
    sessions = {}
    with models.working():
        for name in "abc":
            opened = opened_once(
                models, name, 1, lambda: onnx_session.open_session(network, threads=1, device="cpu").session
            )
            sessions[name] = weakref.ref(opened)
            del opened
        assert opened_once(models, "a", 1, lambda: pytest.fail("it is open")) is sessions["a"]()
        assert len(models) == 3  # a stage may need more than are kept
    assert sorted(models) == ["a", "c"]
    gc.collect()
    assert sessions["b"]() is None and sessions["a"]() is not None


def test_what_nobody_used_for_long_goes_and_is_closed() -> None:
    models = OpenedModels(idle_s=0.3)
    models["old"], models["used"] = Closing(), Closing()
    old = models["old"]
    time.sleep(0.35)
    assert models["used"].closed is False
    assert models.tidy() == 1
    assert list(models) == ["used"] and old.closed


def test_what_a_stage_takes_out_needs_no_place_any_more() -> None:
    models = OpenedModels(models_max=1)
    models["first"] = Closing()
    models["replaced"] = Closing()
    assert models.pop("replaced").closed is False
    with models.working():
        pass
    assert list(models) == ["first"]


def test_nothing_goes_while_a_stage_works() -> None:
    models = OpenedModels(idle_s=0.0)
    models["in use"] = Closing()
    with models.working():
        went: list[int] = []
        thread = threading.Thread(target=lambda: went.append(models.tidy()))  # as the sweep's
        thread.start()
        thread.join()
        assert went == [0] and "in use" in models
    assert models.tidy() == 1


def test_where_a_model_does_not_fit_all_others_go_and_it_is_opened_again(network: Path) -> None:
    models = OpenedModels()
    models["processes"] = Closing()  # no model: it may be at work, and holds no memory of the device
    opened_once(models, "large", 1, lambda: onnx_session.open_session(network, threads=1, device="cpu").session)
    large = weakref.ref(models["large"][1])

    def open_it() -> str:
        if large() is not None:
            try:
                raise RuntimeError("Failed to allocate memory for requested buffer of size 4194304")
            except RuntimeError as error:
                raise ValueError("the file cannot be opened") from error
        return "opened"

    assert opened_once(models, "next", 1, open_it) == "opened"
    assert sorted(models) == ["next", "processes"] and not models["processes"].closed


def test_other_failures_and_a_model_that_fits_nowhere_are_reported_at_once() -> None:
    models = OpenedModels()
    models["other"] = (1, object())
    tries: list[str] = []

    def fails(words: str) -> None:
        tries.append(words)
        raise RuntimeError(words)

    with pytest.raises(RuntimeError, match="damaged"):
        opened_once(models, "bad", 1, lambda: fails("damaged"))
    assert "other" in models and tries == ["damaged"]
    with pytest.raises(RuntimeError, match="out of memory"):
        opened_once(models, "huge", 1, lambda: fails("CUDA out of memory"))
    assert tries == ["damaged", "CUDA out of memory", "CUDA out of memory"] and not models
