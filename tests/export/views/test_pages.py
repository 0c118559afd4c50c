"""The pages of export: who may see and do what, what they show, and how many queries they need."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Caption, ModelChoice
from export import forms
from export.actions import jobs, recipes
from export.algorithms.recipe import Recipe, parse
from export.build import export_job
from export.models import ExportJob
from export.models import Recipe as RecipeRow
from export.views import recipes as views
from ingest.models import Frame, FrameState, Membership, PipelineRun, Role, RunState
from tests.conftest import client_of, make_user
from tests.export.conftest import Show, plan_of
from tests.pages import html_of

pytestmark = pytest.mark.django_db

PAGES = ("overview", "export", "exports")


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def as_viewer(show: Show) -> Client:
    viewer = make_user("vera")
    Membership.objects.create(collection=show.collection, user=viewer, role=Role.VIEWER)
    return client_of(viewer)


def url(name: str, show: Show, *args: int) -> str:
    return reverse(name, args=[show.collection.pk, *args])


def form_of(client: Client, show: Show, query: str = "") -> dict[str, Any]:
    """The fields of the export page as a browser would send them without a script."""
    from html import unescape

    page = html_of(client.get(url("export", show) + query))
    form = page[page.index('<form id="recipe"') : page.index("</form>", page.index('<form id="recipe"'))]
    form = re.sub(r"<template.*?</template>", "", form, flags=re.S)
    collected: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        values = {name: unescape(value) for name, value in re.findall(r'([\w.-]+)="([^"]*)"', tag)}
        if "name" in values and (values.get("type") != "checkbox" or " checked" in tag):
            collected.setdefault(values["name"], []).append(values.get("value", "on"))
    for name, body in re.findall(r'<select name="([^"]+)">(.*?)</select>', form, re.S):
        match = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', body)
        assert match, name
        collected[name] = [match[1] if match[1] is not None else match[2]]
    for name, body in re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
        collected[name] = [unescape(body)]
    return collected


@pytest.mark.parametrize("name", PAGES)
def test_strangers_get_404_the_anonymous_the_login_page_and_members_the_page(
    show: Show, as_charlie: Client, as_bob: Client, as_viewer: Client, client: Client, name: str
) -> None:
    assert as_charlie.get(url(name, show)).status_code == 404
    assert client.get(url(name, show)).status_code == 302
    assert "/login/" in client.get(url(name, show)).headers["Location"]
    assert as_bob.get(url(name, show)).status_code == 200
    assert as_viewer.get(url(name, show)).status_code == 200


def test_only_leads_save_recipes_start_and_change_exports(
    show: Show, alice: User, as_bob: Client, as_viewer: Client, as_charlie: Client
) -> None:
    job = jobs.start(collection=show.collection, recipe=Recipe(), name="x", by=alice)
    for path in (url("export_change", show), url("export_job_change", show, job.pk)):
        assert as_bob.post(path, {"act": "save", "delete": "1", "sure": "1"}).status_code == 403
        assert as_viewer.post(path, {"act": "start"}).status_code == 403
        assert as_charlie.post(path, {"act": "start"}).status_code == 404
    assert ExportJob.objects.count() == 1
    assert not RecipeRow.objects.exists()


def test_exports_and_recipes_of_another_collection_do_not_exist(show: Show, alice: User, as_alice: Client) -> None:
    from ingest.models import Collection

    other = Collection.objects.create(name="Other")
    job = jobs.start(collection=other, recipe=Recipe(), name="x", by=alice)
    recipe = recipes.save(collection=other, name="r", recipe=Recipe(), by=alice)

    assert as_alice.get(url("export_download", show, job.pk)).status_code == 404
    assert as_alice.post(url("export_job_change", show, job.pk), {"cancel": "1"}).status_code == 404
    assert as_alice.get(url("recipe_file", show, recipe.pk)).status_code == 404
    assert as_alice.get(url("export", show) + f"?recipe={recipe.pk}").status_code == 404


def test_the_untouched_form_gives_the_recipe_that_the_page_shows(show: Show, alice: User, as_alice: Client) -> None:
    from django.http import QueryDict

    expected = parse(
        {
            "selection": {"min_faces": 0, "size": 768, "image_types": ["fanart"]},
            "arrange": {"format": "image_type/character", "name_clusters": True, "min_per_combination": 3},
            "caption": {
                "version": "v1.0",
                "seed": 9,
                "tags_prob": 0.35,
                "order": list(reversed(Recipe().caption.order)),
            },
            "balance": {"weights": [["1_character", 2.5], ["*/face_height_ratio_0-25", 0.125]], "max_multiply": 40},
            "metadata": {"version": "v1.0", "types": {"screenshots": "anishot", "fanart": "fan art"}},
            "crops": {"enabled": True, "around": 1.5, "pad": False},
            "face_set": {"enabled": True, "whole": True, "scale": 1.8, "least": 32, "grow": 256, "border": "reflect"},
            "upscale": {"model": "bicubic", "below": 400},
            "output": {"layout": "kohya", "caption_ending": ".caption", "zip": False},
        }
    )
    recipes.save(collection=show.collection, name="Mine", recipe=expected, by=alice)

    posted = QueryDict(mutable=True)
    for name, values in form_of(as_alice, show).items():
        posted.setlist(name, values)

    assert forms.recipe_from(posted) == expected


def test_the_preview_follows_a_weight_without_writing_anything(show: Show, as_bob: Client) -> None:
    data = form_of(as_bob, show) | {"arrange.min_per_combination": ["1"]}

    before = as_bob.post(url("export_preview", show), data)
    after = as_bob.post(url("export_preview", show), data | {"weight.pattern": ["others"], "weight.value": ["50"]})

    assert "1_character" in html_of(before)
    assert before.content != after.content
    assert "×50" in html_of(after)
    assert not RecipeRow.objects.exists()
    assert not ExportJob.objects.exists()


def test_the_preview_agrees_with_what_is_then_written(show: Show, alice: User, as_alice: Client) -> None:
    from export.preview.result import preview

    recipe = parse({"arrange": {"min_per_combination": 2}, "crops": {"enabled": True}, "selection": {"min_faces": 0}})
    seen = preview(show.collection, recipe)

    plan = plan_of(show.collection, recipe)
    left_out = plan.left_out

    assert seen.balance == plan.balance
    assert seen.left_out == left_out


def test_clipping_and_whole_repeats_are_warned_of_before_anything_is_written(show: Show, as_bob: Client) -> None:
    data = form_of(as_bob, show) | {"arrange.min_per_combination": ["1"], "balance.max_multiply": ["1.2"]}

    clipped = html_of(as_bob.post(url("export_preview", show), data))
    kohya = html_of(as_bob.post(url("export_preview", show), data | {"output.layout": ["kohya"]}))

    assert "cut at multiply 1.2" in clipped
    assert "whole repeats" not in clipped
    assert "Repeats" in kohya


def test_a_large_collection_s_export_page_comes_before_its_result(
    show: Show, as_alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "FRAMES_AT_ONCE_MAX", show.collection.frames.count() - 1)
    page = html_of(as_alice.get(url("export", show)))
    assert "Building the preview" in page
    assert 'hx-trigger="load, recipe, captions from:body"' in page
    as_alice.post(url("export_preview", show), form_of(as_alice, show))
    assert "Building the preview" not in html_of(as_alice.get(url("export", show)))  # it is counted now


def test_a_mistake_in_the_form_is_shown_in_place_of_the_result(show: Show, as_alice: Client) -> None:
    data = form_of(as_alice, show) | {"selection.min_faces": ["many"], "weights.csv": ["a;1\nb,2\nc,0"]}

    text = html_of(as_alice.post(url("export_preview", show), data))
    answer = as_alice.post(url("export_change", show), data | {"act": "start"})

    assert "selection.min_faces" in text
    assert "line 1" in text
    assert "line 3" in text
    assert answer.status_code == 422
    assert not ExportJob.objects.exists()


def test_hostile_names_and_captions_are_only_text_on_the_pages(show: Show, alice: User, as_alice: Client) -> None:
    evil = "<script>alert(1)</script>"
    show.characters["Hinata"].name = evil
    show.characters["Hinata"].save()
    for frame in show.frames:
        Caption.objects.create(frame=frame, text=evil, by=alice)
    recipes.save(collection=show.collection, name=evil, recipe=parse({"arrange": {"min_per_combination": 1}}), by=alice)
    jobs.start(collection=show.collection, recipe=Recipe(), name=evil, by=alice)

    for name in PAGES:
        assert evil not in html_of(as_alice.get(url(name, show)))


def test_a_person_starts_an_export_sees_it_and_deletes_it_without_any_script(
    show: Show, as_alice: Client, queues: str
) -> None:
    data = form_of(as_alice, show) | {"act": "start", "name": "Evening set", "recipe_name": "Evening"}

    answer = as_alice.post(url("export_change", show), data)
    job = ExportJob.objects.get()
    assert answer.headers["Location"] == url("exports", show)
    assert "Waiting for a worker" in html_of(as_alice.get(url("exports", show)))
    export_job.execute(job.pk)
    page = html_of(as_alice.get(url("exports", show)))
    assert "Evening set" in page
    assert "4 pictures left out" in page

    path = url("export_job_change", show, job.pk)
    as_alice.post(path, {"delete": "1"})
    assert ExportJob.objects.exists()
    as_alice.post(path, {"delete": "1", "sure": "on"})
    assert not ExportJob.objects.exists()
    assert RecipeRow.objects.get().name == "Evening"


def test_a_failed_export_offers_retry_and_not_resume(show: Show, alice: User, as_alice: Client) -> None:
    job = jobs.start(collection=show.collection, recipe=Recipe(), name="x", by=alice)
    ExportJob.objects.filter(pk=job.pk).update(state=RunState.FAILED, error="the disk was full")
    page = html_of(as_alice.get(url("exports", show)))
    assert ">Retry</button>" in page and ">Resume</button>" not in page
    as_alice.post(url("export_job_change", show, job.pk), {"resume": "1"})
    job.refresh_from_db()
    assert job.state == RunState.QUEUED


def test_stop_and_resume_by_their_buttons(show: Show, alice: User, as_alice: Client) -> None:
    job = jobs.start(collection=show.collection, recipe=Recipe(), name="x", by=alice)
    path = url("export_job_change", show, job.pk)

    as_alice.post(path, {"cancel": "1"})
    job.refresh_from_db()
    assert job.state == RunState.CANCELLED
    assert "Resume" in html_of(as_alice.get(url("exports", show)))
    as_alice.post(path, {"resume": "1"})
    job.refresh_from_db()
    assert job.state == RunState.QUEUED


def test_the_caption_settings_of_a_version_can_be_taken_over(show: Show, as_alice: Client) -> None:
    data = form_of(as_alice, show) | {"caption.version": ["v1.0"], "act": "style", "caption.seed": ["77"]}

    page = html_of(as_alice.post(url("export_change", show), data))

    assert 'name="caption.artist_prefix" value="style of "' in page
    assert 'name="caption.seed" value="77"' in page
    assert "not saved yet" in page


def test_a_saved_recipe_is_a_file_for_the_command_line(show: Show, alice: User, as_bob: Client) -> None:
    row = recipes.save(collection=show.collection, name="r", recipe=Recipe(), by=alice)

    answer = as_bob.get(url("recipe_file", show, row.pk))

    assert parse(json.loads(answer.content)) == Recipe()
    assert "attachment" in answer.headers["Content-Disposition"]


def test_a_recipe_of_an_older_version_opens_with_the_defaults_and_says_so(
    show: Show, alice: User, as_bob: Client
) -> None:
    RecipeRow.objects.create(collection=show.collection, name="old", params={"caption": {"colour": 1}})

    assert "caption.colour: no such setting" in html_of(as_bob.get(url("export", show)))


def test_the_funnel_counts_and_links_to_the_frames_behind_each_figure(show: Show, alice: User, as_bob: Client) -> None:
    job = jobs.start(collection=show.collection, recipe=Recipe(), name="x", by=alice)
    export_job.execute(job.pk)

    context = as_bob.get(url("overview", show)).context

    assert [(step.label, step.count) for step in context["funnel"]] == [
        ("pictures decoded", 2403),
        ("different drawings", 16),
        ("kept, similar ones dropped", 15),
        ("with faces", 11),
        ("with a name", 9),
        ("in the latest dataset", 11),
    ]
    assert [step.share for step in context["funnel"]] == [None, 1, 94, 73, 82, 100]
    for step in context["funnel"]:
        assert as_bob.get(step.url).status_code == 200
    assert [person["name"] for person in context["cast"]] == ["Hinata", "Kokona", "Hinata Hairdown"]
    assert "2 faces without a name, 1 group: about 1 minute." in [step["text"] for step in context["next"]]


def test_the_funnel_says_that_similar_frames_were_dropped_only_once_some_were(show: Show, as_bob: Client) -> None:
    Frame.objects.duplicates().update(state=FrameState.KEPT, reason="", duplicate_of=None)

    labels = [step.label for step in as_bob.get(url("overview", show)).context["funnel"]]

    assert "kept" in labels
    assert not any("similar" in label for label in labels)


def test_the_overview_refreshes_itself_until_the_run_ends(show: Show, as_bob: Client) -> None:
    run = PipelineRun.objects.create(collection=show.collection, state=RunState.RUNNING, code_version="test")
    address = url("overview", show)
    poll = f'hx-get="{address}" hx-trigger="every 3s"'
    assert poll in html_of(as_bob.get(address))

    PipelineRun.objects.filter(pk=run.pk).update(state=RunState.DONE)
    refreshed = html_of(as_bob.get(address, headers={"HX-Request": "true"}))
    assert refreshed.strip().startswith('<div id="overview"')
    assert "A run is in progress." not in refreshed
    assert poll not in refreshed


def test_an_empty_collection_says_what_comes_here(collection: Any, as_alice: Client, as_bob: Client) -> None:
    for name in PAGES:
        text = html_of(as_alice.get(reverse(name, args=[collection.pk])))
        assert any(words in text for words in ("Add a video", "no kept frames yet", "No datasets yet"))
    assert "Add a video" not in html_of(as_bob.get(reverse("overview", args=[collection.pk])))


@pytest.mark.parametrize(("name", "cold", "warm"), [("overview", 19, 13), ("export", 35, 23), ("exports", 5, 5)])
def test_pages_never_need_more_than_a_fixed_number_of_queries(
    show: Show, alice: User, as_bob: Client, django_assert_max_num_queries: Any, name: str, cold: int, warm: int
) -> None:
    for number in range(3):
        jobs.start(collection=show.collection, recipe=Recipe(), name=f"x{number}", by=alice)
    with django_assert_max_num_queries(cold):
        as_bob.get(url(name, show))
    with django_assert_max_num_queries(warm):
        as_bob.get(url(name, show))


@pytest.mark.django_db(transaction=True)
def test_without_redis_the_export_waits_safely_in_the_database(show: Show, as_alice: Client, tmp_path: Any) -> None:
    from project.queues import rq_queues
    from tests.conftest import _django_rq_queues

    with _django_rq_queues(rq_queues(f"unix://{tmp_path}/nobody.sock")):
        answer = as_alice.post(url("export_change", show), form_of(as_alice, show) | {"act": "start"})

    assert answer.status_code == 302
    assert ExportJob.objects.get().state == RunState.QUEUED


def test_a_dataset_that_nobody_named_is_called_after_its_recipe(show: Show, as_alice: Client, queues: str) -> None:
    page = html_of(as_alice.get(url("export", show), {"preset": "face-set"}))
    today = f"{timezone.now():%Y-%m-%d}"
    assert f'placeholder="{show.collection.name} Face set {today}"' in page
    data = form_of(as_alice, show) | {"act": "start", "name": " ", "recipe_name": "Evening"}
    as_alice.post(url("export_change", show), data)
    assert ExportJob.objects.get().name == f"{show.collection.name} Evening {today}"


@pytest.mark.parametrize(("name", "recipe"), [("x" * 200, "Everything"), ("Show", "y" * 200)])
def test_the_name_of_a_dataset_keeps_its_day_and_is_never_too_long(show: Show, name: str, recipe: str) -> None:
    show.collection.name = name
    title = jobs.default_name(show.collection, recipe)
    assert title.endswith(f" {timezone.now():%Y-%m-%d}")
    assert jobs.start(collection=show.collection, recipe=Recipe(), name=title, by=None).name == title


def test_the_preview_says_where_more_tags_come_from_until_a_tagger_is_used(
    show: Show, alice: User, as_alice: Client
) -> None:
    address = reverse("models") + "?task=tags"
    assert address in html_of(as_alice.get(url("export", show)))
    assert address in html_of(as_alice.post(url("export_preview", show), form_of(as_alice, show)))
    ModelChoice.objects.create(collection=show.collection, task="tags", name="wd-swinv2-v3")
    assert address not in html_of(as_alice.get(url("export", show)))


def test_a_frames_page_shows_the_caption_that_the_latest_recipe_gives_it(show: Show, as_viewer: Client) -> None:
    frame = show.collection.frames.kept().exclude(file="").order_by("pk")[0]
    address = url("frame_caption", show, frame.pk)
    assert address in html_of(as_viewer.get(url("frame", show, frame.pk)))
    assert "preset Whole show" in html_of(as_viewer.get(address))
    words = parse({"metadata": {"general": "a still <of> it"}, "caption": {"general_prob": 1.0}})
    recipes.save(collection=show.collection, name="Words", recipe=words, by=None)
    page = html_of(as_viewer.get(address))
    assert "from the recipe: Words" in page
    assert "a still &lt;of&gt; it" in page


def test_lists_on_the_form_take_full_width_commas_and_an_open_quote_is_reported(show: Show, as_alice: Client) -> None:
    path = reverse("export_change", args=[show.collection.pk])
    good = {"act": "save", "recipe_name": "Lists", "caption.blacklist": ' parody，smile、\n"a, b" ,, '}

    as_alice.post(path, good)
    row = RecipeRow.objects.get(name="Lists")

    assert row.params["caption"]["blacklist"] == ["parody", "smile", "a, b"]
    page = as_alice.post(path, good | {"caption.blacklist": 'x, "open, y'})
    assert page.status_code == 422
    assert "caption.blacklist: line 1" in html_of(page)


def test_each_preset_opens_at_one_click_with_its_recipe_and_the_number_of_its_pictures(
    show: Show, as_bob: Client
) -> None:
    from export.algorithms.presets import PRESETS

    for key, preset in PRESETS.items():
        response = as_bob.get(url("export", show) + f"?preset={key}")
        assert response.context["recipe"] == preset.recipe
        assert response.context["recipe_name"] == preset.label
        assert response.context["result"].balance.pictures == response.context["preset_counts"][key] > 0
        page = html_of(response)
        assert page.count('aria-current="true"><b>') == 1
        assert f'aria-current="true"><b>{preset.label}</b>' in page


def test_a_collection_without_a_recipe_begins_with_the_preset_whole_show(show: Show, as_bob: Client) -> None:
    response = as_bob.get(url("export", show))

    assert response.context["current_preset"].label == "Whole show"
    folders = {"/".join(row.path) for row in response.context["result"].rows}
    assert {"1_character/Hinata", "1_character/Kokona", "2_characters/Hinata+Kokona"} <= folders


def test_a_preset_never_replaces_a_saved_recipe_of_other_settings(show: Show, alice: User, as_alice: Client) -> None:
    path = url("export", show) + "?preset=character-lora"
    form = form_of(as_alice, show, "?preset=character-lora")
    as_alice.post(url("export_change", show), form | {"act": "save"})
    saved = RecipeRow.objects.get(name="Character LoRA")
    assert as_alice.get(path).context["saved"] == saved  # the same settings: the same recipe

    saved.params["selection"]["max_faces"] = 2
    saved.save()
    response = as_alice.get(path)

    assert response.context["saved"] is None
    assert response.context["recipe_name"] == "Character LoRA 2"
    assert response.context["recipe"].selection.max_faces == 1


def test_a_minimum_that_is_too_high_is_fixed_by_one_button(show: Show, as_alice: Client) -> None:
    data = form_of(as_alice, show) | {"arrange.min_per_combination": ["10"]}

    preview = html_of(as_alice.post(url("export_preview", show), data))
    fixed = as_alice.post(url("export_change", show), data | {"set": "arrange.min_per_combination=2"})

    assert "3 characters go to" in preview
    assert "the largest of their combinations has 3" in preview
    assert 'name="set" value="arrange.min_per_combination=2"' in preview
    assert fixed.context["recipe"].arrange.min_per_combination == 2
    assert "character_others</code>:" not in html_of(fixed)
    assert not RecipeRow.objects.exists()


def test_the_preview_names_who_has_no_folder_where_no_lower_minimum_helps(show: Show, as_alice: Client) -> None:
    data = form_of(as_alice, show) | {"arrange.min_per_combination": ["0"]}
    alone = html_of(as_alice.post(url("export_preview", show), data))
    counts = form_of(as_alice, show) | {"arrange.min_per_combination": ["1"]}
    assert "character_others</code> only" not in html_of(as_alice.post(url("export_preview", show), counts))
    words = " ".join(re.sub(r"<[^>]+>", "", alone).split())
    assert re.search(r"\w+ (is|are) in character_others only, since no combination with .{8,16} has \d pictures", words)


def test_a_few_pictures_that_take_much_of_an_epoch_are_capped_by_one_button(show: Show, as_alice: Client) -> None:
    weights = {"weight.pattern": ["2_characters"], "weight.value": ["40"]}
    data = form_of(as_alice, show) | {"arrange.min_per_combination": ["1"], "balance.max_multiply": ["1000"]} | weights

    before = html_of(as_alice.post(url("export_preview", show), data))
    button = re.search(r'name="set" value="balance.max_multiply=(\d+)"', before)
    assert button, before
    after = as_alice.post(url("export_change", show), data | {"set": f"balance.max_multiply={button[1]}"})

    assert re.search(r"\d pictures? (is|are) \d\d % of an epoch", before)
    assert after.context["recipe"].balance.max_multiply == int(button[1])
    assert after.context["result"].balance.ruling is None
    assert "of an epoch, used up to" not in html_of(after)


def test_only_site_admins_see_where_on_the_server_a_dataset_lies(
    show: Show, alice: User, as_alice: Client, as_bob: Client, settings: Any
) -> None:
    job = jobs.start(collection=show.collection, recipe=Recipe(), name="x", by=alice)
    export_job.execute(job.pk)
    job.refresh_from_db()
    page = html_of(as_bob.get(url("exports", show)))
    assert alice.is_superuser
    assert job.folder in page
    assert str(settings.KOMA_EXPORT_DIR) not in page
    assert str(settings.KOMA_EXPORT_DIR / job.folder) in html_of(as_alice.get(url("exports", show)))
