"""The mask model of a dataset: the collection's, else the first installed, else words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from annotate.chosen_models import choices, tasks
from export.algorithms.recipe import parse
from export.build.masks import open_for
from ingest.errors import BadInput
from ingest.models import Collection
from tests.annotate.backends.test_mask_isnet import write_isnet

pytestmark = pytest.mark.django_db
WITH = parse({"output": {"masks": "folder"}})


def test_no_masks_need_no_model(collection: Collection) -> None:
    assert open_for(collection, parse({})) is None


def test_masks_without_a_model_are_refused_with_a_message(collection: Collection) -> None:
    with pytest.raises(BadInput, match="no mask model is installed"):
        open_for(collection, WITH)


def test_a_collection_that_was_told_to_use_none_is_refused_with_a_message(
    collection: Collection, settings: Any
) -> None:
    write_isnet(settings.KOMA_MODELS_DIR / "isnetis")
    choices.choose(collection=collection, task="mask", names=[tasks.NONE], by=None)
    with pytest.raises(BadInput, match="is set to use no mask model"):
        open_for(collection, WITH)


def test_the_collections_model_is_used_else_the_first(collection: Collection, settings: Any) -> None:
    write_isnet(settings.KOMA_MODELS_DIR / "isnetis")
    write_isnet(settings.KOMA_MODELS_DIR / "isnetis-b")
    first = open_for(collection, WITH)
    assert first is not None and "'isnetis'" in first.identity
    choices.choose(collection=collection, task="mask", names=["isnetis-b"], by=None)
    chosen = open_for(collection, WITH)
    assert chosen is not None and "'isnetis-b'" in chosen.identity
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[:, :, 0] = 51
    assert (chosen.mask(picture) == 51).all()  # the tiny network's mask is the red of the picture
