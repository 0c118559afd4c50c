"""The caption stage against a real server: grounding, persons first, memory, kill and resume, failures in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.actions import captions
from annotate.backends.captioners import endpoint
from annotate.chosen_models import captioner, choices, tasks
from annotate.models import CaptionAnswer, Character, Face, FrameTag, ModelCaption, Tag, TagCategory
from annotate.stages import caption as stage_module
from ingest.actions import runs
from ingest.errors import BadInput
from ingest.models import Episode, Frame, PipelineRun, RunState, StageRun
from ingest.pipeline import claims, registry, runner
from tests.annotate.chat_server import ChatServer, Reply, serving
from tests.annotate.people import ANNA, BETH

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
Params = dict[str, Any]


@pytest.fixture
def server(settings: Any) -> Iterator[ChatServer]:
    """A server that the settings name, and a pipeline of the one stage."""
    settings.PIPELINE_STAGES = ["annotate.stages.caption.WriteCaptions"]
    registry.stages.cache_clear()
    with serving(ChatServer()) as running:
        settings.KOMA_CAPTION_URL, settings.KOMA_CAPTION_MODEL = running.url, "tiny-vl"
        settings.KOMA_CAPTION_KEY, settings.KOMA_CAPTION_IN_FLIGHT = "sk-secret", 2
        settings.KOMA_CAPTION_TIMEOUT_S = 5
        yield running
    registry.stages.cache_clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the pauses that would make the tests slow."""
    monkeypatch.setattr(endpoint.ChatEndpoint.__init__, "__kwdefaults__", {"attempts": 2, "back_off_s": 0.0})


def go(episode: Episode, params: Params | None = None) -> PipelineRun:
    run = runs.start(collection=episode.collection, episodes=[episode], by=None, params={"caption": params or {}})
    return runs.run_here(run)


def step(run: PipelineRun) -> StageRun:
    return run.stages.get()


@pytest.fixture
def episode(make_episode: Callable[..., Episode]) -> Episode:
    return make_episode([[ANNA], [ANNA, BETH], []])


def texts() -> list[str]:
    return list(ModelCaption.objects.order_by("frame__index").values_list("text", flat=True))


def test_every_kept_frame_gets_a_caption_of_its_model_version(server: ChatServer, episode: Episode) -> None:
    run = go(episode)
    assert run.state == RunState.DONE, step(run).error
    assert sorted(texts()) == ["Caption 1.", "Caption 2.", "Caption 3."]
    row = ModelCaption.objects.first()
    assert row is not None
    assert (row.model_version.task, row.model_version.name) == ("caption", "tiny-vl")
    assert row.model_version.revision.startswith("sentences ")
    assert step(run).counters["captions"] == 3
    assert server.asked[0].picture.size == (480, 270)


def test_the_prompt_names_tags_and_characters_from_left_to_right(server: ChatServer, episode: Episode) -> None:
    two = Frame.objects.get(episode=episode, index=1)
    right, left = Face.objects.filter(frame=two).order_by("-left")
    for face, name in ((left, 'Anna "the Fox"'), (right, "Beth")):
        face.character = Character.objects.create(collection=episode.collection, name=name)
        face.save()
    for name, score, category in (
        ("long_hair", 0.5, TagCategory.GENERAL), ("smile", 0.9, TagCategory.GENERAL), ("highres", 1, TagCategory.META),
    ):  # fmt: skip
        tag, _ = Tag.objects.get_or_create(name=name, defaults={"category": category})
        FrameTag.objects.create(frame=two, tag=tag, score=score)
    go(episode)
    prompts = [requested.prompt for requested in server.asked]
    (grounded,) = [prompt for prompt in prompts if "Beth" in prompt]
    assert '["smile", "long hair"]' in grounded
    assert json.dumps(['Anna "the Fox"', "Beth"]) in grounded
    assert "highres" not in grounded
    assert sum("(none known)" in prompt for prompt in prompts) == 2


def test_a_persons_caption_is_neither_asked_for_nor_touched(server: ChatServer, episode: Episode, alice: User) -> None:
    frame = Frame.objects.get(episode=episode, index=0)
    captions.write(collection=episode.collection, frame=frame, text="By hand.", by=alice)
    go(episode)
    frame.refresh_from_db()
    assert frame.caption.text == "By hand."
    assert not ModelCaption.objects.filter(frame=frame).exists()
    assert len(server.asked) == 2


def test_a_second_run_asks_nothing_and_a_lost_row_comes_from_memory(server: ChatServer, episode: Episode) -> None:
    go(episode)
    before = texts()
    go(episode)
    assert len(server.asked) == 3
    ModelCaption.objects.all().delete()
    run = go(episode)
    assert len(server.asked) == 3
    assert texts() == before
    assert step(run).counters["from_memory"] == 3


def test_asking_again_asks_only_where_tags_have_changed(server: ChatServer, episode: Episode) -> None:
    go(episode)
    frame = Frame.objects.get(episode=episode, index=2)
    tag, _ = Tag.objects.get_or_create(name="night", defaults={"category": TagCategory.GENERAL})
    FrameTag.objects.create(frame=frame, tag=tag, score=1)
    go(episode)
    assert len(server.asked) == 3
    go(episode, {"again": True})
    assert len(server.asked) == 4
    assert ModelCaption.objects.count() == 3
    assert ModelCaption.objects.get(frame=frame).text == "Caption 4."


def test_another_prompt_is_another_version_beside_the_first(server: ChatServer, episode: Episode) -> None:
    go(episode)
    go(episode, {"prompt": "Name the colours. {tags}"})
    assert ModelCaption.objects.count() == 6
    versions = {row.model_version.revision.split()[0] for row in ModelCaption.objects.all()}
    assert versions == {"sentences", "own"}
    assert server.asked[-1].prompt == "Name the colours. (none known)"


def test_a_failed_picture_is_counted_told_and_tried_again_by_the_next_run(
    server: ChatServer, episode: Episode, quick: None
) -> None:
    rude = Reply(status=422, body=b'{"detail": "too rude"}')
    server.answer = lambda number, request: rude if number == 1 else Reply(says="Fine.")
    run = go(episode)
    assert run.state == RunState.DONE
    assert step(run).counters["failed"] == 1
    assert "refuses this picture (422). too rude." in step(run).log
    assert ModelCaption.objects.count() == 2
    go(episode)
    assert ModelCaption.objects.count() == 3


def test_a_server_that_is_gone_fails_the_run_with_a_message_and_keeps_what_it_said(
    server: ChatServer, make_episode: Callable[..., Episode], quick: None
) -> None:
    episode = make_episode([[ANNA]] * 9, seed=4)
    server.answer = lambda number, request: Reply(says=f"{number}") if number <= 5 else Reply(status=401)
    run = go(episode)
    assert run.state == RunState.FAILED
    assert "refuses access (401)" in step(run).error
    assert ModelCaption.objects.count() == 5
    server.answer = lambda number, request: Reply(says="later")
    runs.resume(run, by=None)
    runs.run_here(run)
    run.refresh_from_db()
    assert run.state == RunState.DONE
    assert ModelCaption.objects.count() == 9
    assert ModelCaption.objects.filter(text="later").count() == 4


def test_a_server_that_is_not_there_fails_the_run_with_a_message(
    server: ChatServer, episode: Episode, settings: Any, quick: None
) -> None:
    settings.KOMA_CAPTION_URL = "http://127.0.0.1:9/v1"
    run = go(episode)
    assert run.state == RunState.FAILED
    assert "127.0.0.1:9 cannot be reached" in step(run).error
    assert "sk-secret" not in step(run).error + step(run).log


def test_when_every_picture_fails_the_run_says_so(server: ChatServer, episode: Episode, quick: None) -> None:
    server.answer = lambda number, request: Reply(body=b"<html>")
    run = go(episode)
    assert run.state == RunState.FAILED
    assert (
        "None of 3 pictures got a caption. Last error: the response is not in OpenAI's chat format" in step(run).error
    )


def test_many_failures_in_a_row_stop_the_run_before_all_are_tried(
    server: ChatServer, make_episode: Callable[..., Episode], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_module, "FAILED_IN_ROW_MAX", 4)
    episode = make_episode([[]] * 12, seed=7)
    server.answer = lambda number, request: Reply(status=400)
    run = go(episode)
    assert run.state == RunState.FAILED
    assert "4 pictures in a row got no caption" in step(run).error
    assert len(server.asked) == 4


def test_a_server_that_takes_asks_and_answers_none_stops_the_run_with_a_message_and_keeps_what_it_said(
    server: ChatServer, make_episode: Callable[..., Episode], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "BATCH_S", 1.0)
    monkeypatch.setattr(endpoint, "GRACE_S", 0.5)
    monkeypatch.setattr(stage_module, "FAILED_IN_ROW_MAX", 4)
    monkeypatch.setattr(endpoint.ChatEndpoint.__init__, "__kwdefaults__", {"attempts": 5, "back_off_s": 0.2})
    settings.KOMA_CAPTION_TIMEOUT_S = 0.6
    server.answer = lambda number, request: Reply(says="good", wait_s=0 if number == 1 else 3)
    run = go(make_episode([[ANNA]] * 12, seed=4))
    assert run.state == RunState.FAILED
    assert "pictures in a row got no caption" in step(run).error
    assert "did not answer within" in step(run).error
    assert texts() == ["good"]


def test_a_server_that_falls_silent_stops_the_run_soon_with_a_message_and_retry_goes_on(
    server: ChatServer, make_episode: Callable[..., Episode], settings: Any
) -> None:
    settings.KOMA_CAPTION_TIMEOUT_S, settings.KOMA_CAPTION_SILENCE_S, settings.KOMA_CAPTION_IN_FLIGHT = 1, 1.5, 1
    server.answer = lambda number, request: Reply(says=f"{number}", wait_s=0 if number <= 5 else 60)
    before = time.monotonic()
    run = go(make_episode([[ANNA]] * 9, seed=4))
    assert time.monotonic() - before < 20
    assert run.state == RunState.FAILED
    assert f"127.0.0.1:{server.port} (KOMA_CAPTION_URL) has been silent for 1.5 s" in step(run).error
    assert texts() == ["1", "2", "3", "4", "5"]
    assert "failed" not in step(run).counters  # those that nobody answered are asked again
    silent = len(server.asked)
    server.answer = lambda number, request: Reply(says="later")
    runs.resume(run, by=None)
    runs.run_here(run)
    assert step(run).state == RunState.DONE
    assert texts() == ["1", "2", "3", "4", "5", *["later"] * 4]
    assert len(server.asked) == silent + 4


def test_a_server_that_needs_most_of_its_time_for_each_answer_is_not_cut_off(
    server: ChatServer, episode: Episode, settings: Any
) -> None:
    settings.KOMA_CAPTION_TIMEOUT_S, settings.KOMA_CAPTION_SILENCE_S, settings.KOMA_CAPTION_IN_FLIGHT = 20, 0.2, 1
    server.answer = lambda number, request: Reply(says=f"{number}", wait_s=0.8, drip_s=0.003)
    run = go(episode)
    assert run.state == RunState.DONE, step(run).error
    assert texts() == ["1", "2", "3"] and len(server.asked) == 3


def test_a_cancel_is_heard_while_answers_are_waited_for_and_keeps_those_that_came(
    server: ChatServer, make_episode: Callable[..., Episode], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "CANCEL_EVERY_S", 0.2)
    settings.KOMA_CAPTION_TIMEOUT_S, settings.KOMA_CAPTION_IN_FLIGHT = 120, 1
    server.answer = lambda number, request: Reply(says=f"{number}", wait_s=0 if number <= 2 else 60)
    episode = make_episode([[ANNA]] * 5, seed=4)
    run = runs.start(collection=episode.collection, episodes=[episode], by=None)
    original = claims.Reporter.check

    def cancelling(report: Any) -> None:
        if len(server.asked) == 3:
            runs.cancel(run, by=None)
        original(report)

    monkeypatch.setattr(claims.Reporter, "check", cancelling)
    before = time.monotonic()
    runs.run_here(run)
    assert time.monotonic() - before < 20
    assert step(run).state == RunState.CANCELLED
    assert texts() == ["1", "2"]


def test_pictures_whose_turn_did_not_come_are_asked_in_the_next_batch(
    server: ChatServer, make_episode: Callable[..., Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "BATCH_S", 0.5)
    server.answer = lambda number, request: Reply(says=f"{number}", wait_s=0.35)
    run = go(make_episode([[ANNA]] * 6, seed=4))
    assert run.state == RunState.DONE, step(run).error
    assert len(texts()) == 6
    assert (step(run).done, step(run).total) == (6, 6)
    assert "failed" not in step(run).counters


def test_a_frame_that_is_deleted_meanwhile_loses_no_answer(server: ChatServer, episode: Episode) -> None:
    frame = Frame.objects.get(episode=episode, index=1)

    work = stage_module.WriteCaptions.work

    def deleting(self: Any, batch: Any) -> Any:
        result = work(self, batch)
        frame.delete()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_module.WriteCaptions, "work", deleting)
        run = go(episode)
    assert run.state == RunState.DONE, step(run).error
    assert ModelCaption.objects.count() == 2
    assert CaptionAnswer.objects.count() == 3
    assert step(run).counters["captions"] == 2


class Killed(BaseException):
    """As a kill: nothing in between catches it."""


def test_killed_at_any_batch_and_run_again_ends_with_the_same_rows_and_asks_nothing_twice(
    server: ChatServer, make_episode: Callable[..., Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda number, request: Reply(says=f"{request.picture.getpixel((100, 100))}")
    episode = make_episode([[ANNA]] * 10, seed=9)
    save, batches = stage_module.WriteCaptions.save, [0]

    def dying(self: Any, result: Any) -> int:
        done = save(self, result)
        batches[0] += 1
        if batches[0] == 2:
            raise Killed
        return done

    monkeypatch.setattr(stage_module.WriteCaptions, "save", dying)
    run = runs.start(collection=episode.collection, episodes=[episode], by=None)
    with pytest.raises(Killed):
        runs.run_here(run)
    monkeypatch.undo()
    assert ModelCaption.objects.count() == 4  # the first batch; the second was rolled back
    StageRun.objects.filter(run=run).update(state=RunState.QUEUED, token="")
    runner.execute(step(run).pk)
    assert ModelCaption.objects.count() == 10
    assert len(server.asked) == 14  # the four that were lost are asked again, nothing else
    assert CaptionAnswer.objects.count() == 10


def test_a_cancelled_run_stops_after_its_batch(
    server: ChatServer, make_episode: Callable[..., Episode], monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = make_episode([[]] * 12, seed=11)
    run = runs.start(collection=episode.collection, episodes=[episode], by=None)
    original = claims.Reporter.check
    looks = [0]

    def cancelling(report: Any) -> None:
        looks[0] += 1
        if looks[0] == 2:
            runs.cancel(run, by=None)
        original(report)

    monkeypatch.setattr(claims.Reporter, "check", cancelling)
    runs.run_here(run)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert ModelCaption.objects.count() == 4


def test_it_runs_by_default_only_where_a_server_is_set(server: ChatServer, episode: Episode, settings: Any) -> None:
    assert go(episode).stages.count() == 1
    settings.KOMA_CAPTION_URL = ""
    with pytest.raises(BadInput, match="at least one stage"):
        runs.start(collection=episode.collection, episodes=[episode], by=None)
    run = runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["caption"]))
    assert run.state == RunState.FAILED
    assert "set KOMA_CAPTION_URL and KOMA_CAPTION_MODEL" in step(run).error


def test_a_collection_that_wants_none_gets_none_and_its_run_goes_on(server: ChatServer, episode: Episode) -> None:
    choices.choose(collection=episode.collection, task="caption", names=[tasks.NONE], by=None)
    assert go(episode).state == RunState.DONE
    assert server.asked == []


def test_the_server_comes_before_a_model_that_nobody_chose(
    server: ChatServer, episode: Episode, settings: Any, tmp_path: Path
) -> None:
    settings.KOMA_MODELS_DIR = tmp_path
    (tmp_path / "blip").mkdir()
    (tmp_path / "blip" / "koma.json").write_text('{"family": "blip2"}')
    assert captioner.name_of(episode.collection) == "server"
    choices.choose(collection=episode.collection, task="caption", names=["blip"], by=None)
    assert captioner.name_of(episode.collection) == "blip"
    choices.choose(collection=episode.collection, task="caption", names=[], by=None)
    settings.KOMA_CAPTION_URL = ""
    assert captioner.name_of(episode.collection) == "blip"


def test_a_captioner_that_is_not_installed_is_named(server: ChatServer, episode: Episode) -> None:
    run = go(episode, {"captioner": "blip2-opt-2.7b"})
    assert run.state == RunState.FAILED
    assert "There is no model 'blip2-opt-2.7b' for caption" in step(run).error
    assert go(episode, {"captioner": "server"}).state == RunState.DONE


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"template": "haiku"}, "template must be one of"),
        ({"tags_max": -1}, "tags_max must be between 0 and 200"),
        ({"side": 10}, "side must be between 64"),
        ({"prompt": "x" * 5000}, "at most 4,000"),
    ],
)
def test_wrong_settings_are_refused(server: ChatServer, episode: Episode, params: Params, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        go(episode, params)
