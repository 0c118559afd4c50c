"""The bench of stand-ins for the hub's models: files beside the networks and its table, without torch or timm."""

from __future__ import annotations

import sys

import pytest

from annotate.backends.model_files import registry
from annotate.backends.taggers import label_lists
from annotate.backends.taggers.preprocess_json import read_stages
from bench import hub_models, stand_ins
from bench.stand_ins import STAND_INS


@pytest.mark.parametrize(
    ("name", "labels"), [("wd-vit", 10_861), ("pixai", 13_461), ("mobilenetv3", 5), ("ccip", 0), ("real-esrgan", 0)]
)
def test_files_beside_the_network(tmp_path, name, labels):
    stand_in = STAND_INS[name]
    assert stand_ins.write_labels(tmp_path / name, stand_in) == labels

    (model,) = registry.installed(tmp_path)

    assert (model.name, model.task) == (name, stand_in.task)
    table = tmp_path / name / "selected_tags.csv"
    assert table.is_file() == (stand_in.family in ("wd", "pixai"))
    if table.is_file():
        assert len(label_lists.read_table(table)) == labels
    if stand_in.family == "pixai":
        assert read_stages(tmp_path / name / "preprocess.json").spec.width == stand_in.side


def test_scorers_are_described_by_their_files(tmp_path):
    for name in ("wd-vit", "pixai", "mobilenetv3"):
        count = stand_ins.write_labels(tmp_path / name, STAND_INS[name])
        (tmp_path / name / "model.onnx").write_bytes(b"stands for a network")
        description = registry.describe(registry.find(name, tmp_path, task=STAND_INS[name].task))
        assert len(description.labels) == count


def test_every_stand_in_is_of_a_known_family():
    for stand_in in STAND_INS.values():
        assert registry.FAMILIES[stand_in.family].task == stand_in.task


def test_table_says_what_was_measured_and_what_was_not():
    results = hub_models.Measurement(grown_mb=1039.4, first_s=4.62, ms=941.0, pictures=6)
    row = hub_models.row(STAND_INS["wd-swinv2"], {"parameters": 98.03, "mb": 411.2}, results)

    text = hub_models.text_of([row], ["pixai-tagger-v0.9: killed"])

    assert "weights are random" in text
    assert "98.0 M" in text and "411 MB (model 467 MB)" in text and "1,039 MB" in text
    assert "4.6 s" in text and "0.94 s" in text
    assert "- Not measured: pixai-tagger-v0.9: killed" in text


def test_two_looks_give_the_most_memory_and_the_shortest_times():
    looks = [hub_models.Measurement(100.0, 2.0, 30.0, 4), hub_models.Measurement(120.0, 1.0, 40.0, 3)]
    assert hub_models.together(looks) == hub_models.Measurement(120.0, 1.0, 30.0, 7)


def test_short_times_are_milliseconds():
    assert [hub_models.seconds(value) for value in (0.0158, 0.349, 12.04)] == ["16 ms", "0.35 s", "12.0 s"]


def test_an_interpreter_that_cannot_build_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(hub_models, "_lacks", lambda builder: "torch, timm")
    monkeypatch.setattr(sys, "argv", ["hub_models", "wd-vit"])
    with pytest.raises(SystemExit, match=r"cannot import: torch, timm.*pip install torch"):
        hub_models.main()


def test_a_model_that_cannot_be_built_is_reported_and_the_next_is_tried(tmp_path):
    rows, failed = hub_models.measured(str(tmp_path / "no-python"), ["wd-vit", "pixai"])

    assert rows == []
    assert [line.partition(":")[0] for line in failed] == ["wd-vit-tagger-v3", "pixai-tagger-v0.9"]
