"""The macros of templates/jinja2: the words that they show, and that they escape everything."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from django.template import Context, Template, engines
from django.utils import timezone

from ingest.models import RunState
from ingest.views.macros import render_macro

HOSTILE = """<b onclick='x'>"&"""


def words(html: str) -> str:
    """What is read on the page."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def dataset(**counters: Any) -> dict[str, Any]:
    warnings = ["odd"] * counters.pop("warnings", 0)
    job = SimpleNamespace(
        pk=1, name="set", state=RunState.DONE, created_by=None, created_at=timezone.now(), zip_file="", error="",
        folder="set", warnings=warnings, counters=counters, get_state_display=lambda: "done",
    )  # fmt: skip
    left_out = sum(counters.get("left_out", {}).values())
    row = {"job": job, "phase": "", "percent": 100, "finished": True, "left_out": left_out, "gone": False}
    return row | {"folder": job.folder}


def result_line(**counters: Any) -> str:
    entries = [dataset(**counters)]
    return words(render_macro("export/datasets.html", "datasets", entries, base="/e/", form_fields="", can_lead=False))


def test_a_dataset_tells_its_counts() -> None:
    counters = {"pictures": 1234, "folders": 3, "epoch": 5000.4, "upscaled": {"1": 7, "2": 1200}}
    text = result_line(**counters, left_out={"too small": 12}, captions_by_person=1, warnings=2)
    assert (
        "1,234 pictures in 3 folders · an epoch of 5,000 · 7 upscaled in 1 pass "
        "· 1,200 upscaled in 2 passes · 1 caption by a person set · import folder changes" in text
    )
    assert text.endswith("2 warnings, 12 pictures left out odd odd 12 · too small")


def test_a_dataset_of_an_older_version_tells_what_it_has() -> None:
    text = result_line()
    assert "– pictures in – folders · an epoch of set" in text
    assert "warning" not in text
    assert "left out" not in text
    assert result_line(warnings=1).endswith("1 warning odd")
    assert result_line(left_out={"blurred": 1}).endswith("1 picture left out 1 · blurred")


def test_an_episode_tells_what_kind_of_pictures_it_has() -> None:
    counts = SimpleNamespace(kept=1200, with_faces=3, faces=4, named=1)
    row = SimpleNamespace(
        pk=1, label="EP1", series="Show", duration_s=0, decoded=34_000, warnings=["odd"], source="a.zip",
        image_type="artwork", exportable=False, counts=counts, stills=[], stages=[("Tag", "done")], is_running=False,
    )  # fmt: skip
    urls = dict.fromkeys(("files", "episode", "frames", "start", "runs"), "/x/")
    text = words(render_macro("annotate/episodes.html", "episodes", [row], urls=urls, can_lead=True))
    assert text == "EP1 Show a.zip · artwork · not for export ⚠ odd – 1,200 of 34,000 3 25 % Run"


def test_everything_is_escaped_once_in_both_kinds_of_templates() -> None:
    html = render_macro("ingest/dots.html", "dots", [(HOSTILE, HOSTILE)])
    assert "<b" not in html
    assert html.count("&lt;b onclick=&#39;x&#39;&gt;&#34;&amp;") == 3
    assert Template("{{ html }}").render(Context({"html": html})) == html


@pytest.mark.parametrize("source", ["{{ missing }}", "{{ row.missing }}", "{{ row['missing'] }}"])
def test_a_name_that_is_not_there_is_an_error(source: str) -> None:
    template = engines["jinja2"].env.from_string(source)  # type: ignore[attr-defined]
    with pytest.raises(jinja2.UndefinedError):
        template.render(row=SimpleNamespace())


def test_nothing_can_be_marked_as_safe() -> None:
    with pytest.raises(jinja2.TemplateAssertionError):
        engines["jinja2"].env.from_string("{{ text|safe }}")  # type: ignore[attr-defined]


def test_indents_are_not_sent() -> None:
    html = render_macro("ingest/dots.html", "dots", [("Tag", "done")] * 2)
    assert html.count("\n") == 2
    assert "  " not in html
