"""`manage.py models`: words and JSON, exit codes, and nothing fetched that was not named."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest
from django.core.management import CommandError, call_command

from annotate.backends.model_files import catalogue
from annotate.models import ModelChoice, ModelTiming
from tests.annotate.model_library.conftest import MODEL, TAGS, WEIGHTS

pytestmark = pytest.mark.django_db


@pytest.fixture()
def settings_of_hub(settings, hub, monkeypatch):
    settings.KOMA_HUB_URL = hub.base
    monkeypatch.setitem(catalogue.CATALOGUE, MODEL.name, MODEL)
    return settings


def run(*words):
    out, err = io.StringIO(), io.StringIO()
    call_command("models", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_list_tells_every_model_and_fetches_nothing(settings_of_hub, hub):
    text, _ = run("list")
    for name in ("wd-swinv2-tagger-v3", "face_detect_v1.4_s", "ccip-caformer-24-randaug-pruned", "builtin", "isnetis"):
        assert name in text
    assert "licence not stated here" in text
    assert re.search(r"wd-swinv2-tagger-v3 +467\.0.MB  \S+ +Apache-2.0\n", text)
    assert hub.asked == []
    output = json.loads(run("list", "--task", "tags", "--json")[0])["models"]
    assert {row["task"] for row in output} == {"tags"}
    assert not any(row["installed"] for row in output if row["kind"] != "builtin")


def test_a_model_is_fetched_listed_checked_and_removed(settings_of_hub, hub, collection):
    text, progress = run("download", "tiny")
    assert "tiny: installed in" in text
    assert "300 kB of 300 kB" in progress  # after which file depends on how the bytes arrived
    ModelTiming.objects.create(task="tags", name="tiny", device="CPU", ms_per_picture=12.34, pictures=9)
    row = next(item for item in json.loads(run("list", "--installed", "--json")[0])["models"] if item["name"] == "tiny")
    assert row["usable"]
    assert row["licence"] == "mit"
    assert row["ms_per_picture"] == {"CPU": 12.34}
    assert json.loads(run("verify", "--json")[0])["models"][0]["fine"]
    (settings_of_hub.KOMA_MODELS_DIR / "tiny" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(CommandError, match="Incomplete or changed: tiny"):
        run("verify")
    ModelChoice.objects.create(collection=collection, task="tags", name="tiny")
    text, _ = run("remove", "tiny")
    assert "still chosen in Tiny show" in text
    left = json.loads(run("list", "--installed", "--json")[0])["models"]
    assert {item["kind"] for item in left} <= {"builtin", "wheel"}
    with pytest.raises(CommandError, match="not installed"):
        run("remove", "tiny")


def test_an_unknown_model_is_refused_before_anything_is_fetched(settings_of_hub, hub):
    with pytest.raises(CommandError, match="no model 'nonsense' in the catalogue"):
        run("download", "tiny", "nonsense")
    assert hub.asked == []


def test_with_json_a_failure_is_a_json_line_too(settings_of_hub, hub):
    hub.files.clear()
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"has no model\.onnx"):
        call_command("models", "download", "tiny", "--json", stdout=out, stderr=io.StringIO())
    output = json.loads(out.getvalue())
    assert output["models"] == []
    assert "has no model.onnx" in output["error"]


def test_a_zip_is_imported_without_a_network(settings_of_hub, hub, tmp_path):
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("model.onnx", b"\x08\x08" + WEIGHTS)
        archive.writestr("selected_tags.csv", TAGS)
        archive.writestr("train.pt", b"x")
    text, _ = run("import", str(tmp_path / "own.zip"))
    assert "left out: train.pt: .pt files can run code" in text
    assert "own: installed in" in text
    assert hub.asked == []


def test_a_folder_with_a_broken_card_hides_no_other(settings_of_hub):
    run("download", "tiny")
    broken = settings_of_hub.KOMA_MODELS_DIR / "wd-vit-tagger-v3"
    broken.mkdir()
    (broken / "koma.json").write_text("{")
    result = {row["name"]: row for row in json.loads(run("list", "--installed", "--json")[0])["models"]}
    assert result["tiny"]["usable"]
    assert not result["wd-vit-tagger-v3"]["usable"]
