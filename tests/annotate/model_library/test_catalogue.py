"""The catalogue: names that can be folders, files that are safe, no licence that nobody told."""

from __future__ import annotations

import pytest

from annotate.backends.model_files import catalogue, formats, weights
from annotate.backends.model_files.folder import checked_name
from annotate.backends.model_files.remote import REPOSITORY
from annotate.chosen_models.tasks import TASKS
from annotate.models import ModelVersion
from ingest.errors import BadInput

MODELS = list(catalogue.CATALOGUE.values())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_row_can_be_installed(model: catalogue.Model) -> None:
    assert checked_name(model.name) == model.name
    assert REPOSITORY.fullmatch(model.repository)
    assert model.task in TASKS
    assert len({file.local for file in model.files}) == len(model.files)
    for file in model.files:
        assert formats.refusal(file.local) == ""
        assert weights.NAME.fullmatch(file.local)
        assert ".." not in file.remote


def test_the_models_of_the_reference_are_there() -> None:
    names = set(catalogue.CATALOGUE)
    assert {f"wd-{kind}-tagger-v3" for kind in ("swinv2", "convnext", "vit", "vit-large", "eva02-large")} <= names
    assert {f"wd-v1-4-{kind}-tagger-v2" for kind in ("swinv2", "convnext", "convnextv2", "vit", "moat")} <= names
    assert {f"face_detect_{v}_{s}" for v in ("v0", "v1", "v1.3", "v1.4") for s in "ns"} <= names
    assert {f"person_detect_{v}_{s}" for v in ("v0", "v1", "v1.1") for s in "nsmx"} <= names
    assert {m.task for m in MODELS} == {
        "faces",
        "boxes",
        "tags",
        "embedding",
        "class",
        "mask",
        "text",
        "upscale",
        "caption",
    }
    assert names >= catalogue.RECOMMENDED


def test_every_recommended_model_tells_its_licence_and_size() -> None:
    recommended = [model for model in MODELS if model.recommended]
    assert {model.name for model in recommended} == catalogue.RECOMMENDED
    assert [model.name for model in recommended if not model.licence or not model.size_bytes] == []


def test_only_models_without_a_known_statement_lack_a_licence_or_a_size() -> None:
    assert {m.name for m in MODELS if not m.licence} == {"cl_tagger_1_01", "cl_tagger_1_02", "tag_filtering"}
    assert {m.name for m in MODELS if not m.size_bytes} == {"anime_aesthetic", "pixai-tagger-v0.9"}


def test_every_licence_and_size_belongs_to_a_model_of_the_catalogue() -> None:
    assert set(catalogue.LICENCES) <= {model.repository for model in MODELS}
    assert set(catalogue.SIZES) <= {model.name for model in MODELS}
    assert all(
        len(licence) <= ModelVersion._meta.get_field("licence").max_length for licence in catalogue.LICENCES.values()
    )


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(BadInput, match=r"Did you mean wd-swinv2-tagger-v3\?"):
        catalogue.get("WD-swinv2-tagger")
    with pytest.raises(BadInput, match="models list"):
        catalogue.get("../etc")
