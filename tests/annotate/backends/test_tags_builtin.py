"""The built-in head tagger: right on drawings it never saw, silent about tags it was never sure of."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from annotate.backends.model_files import weights
from annotate.backends.taggers.builtin import BuiltinHeadTagger
from demo_film.crops import random_head
from ingest.errors import BadInput


@pytest.fixture(scope="module")
def tagger():
    return BuiltinHeadTagger()


def portraits(count):
    """Head crops of drawn people whom no training drew, and the tags of their looks."""
    from annotate.algorithms.face_features import cut_head

    built = []
    for number in range(count):
        head = random_head(
            np.random.default_rng([number, 77]), 160, identity=700_000 + number, back_views=False, room=2.4
        )
        assert head.box is not None
        built.append((cut_head(head.picture, head.box, side_px=96), set(head.tags)))
    return built


def test_hair_colours_of_drawn_people_are_mostly_right(tagger):
    heads = portraits(40)
    labels = [tagger.following(scores) for scores in tagger.tag([crop for crop, _ in heads])]
    styles = {"short_hair", "medium_hair", "long_hair"}
    named = [(next((t for t in tags if t.endswith("_hair") and t not in styles), None), true)
             for tags, (_, true) in zip(labels, heads, strict=True)]  # fmt: skip
    spoken = [tag in true for tag, true in named if tag]
    assert len(spoken) >= 20
    assert np.mean(spoken) >= 0.7


def test_scores_are_shares_and_only_of_tags_with_a_threshold(tagger):
    (scores,) = tagger.tag([portraits(1)[0][0]])
    assert set(scores) == set(tagger.thresholds)
    assert all(0 <= score <= 1 for score in scores.values())


def test_of_two_hair_colours_the_surer_one_follows_and_low_scores_do_not(tagger):
    names = [name for name in tagger.thresholds if name.endswith("_hair") and name not in ("short_hair", "long_hair")]
    first, second = names[:2]
    scores = dict.fromkeys(tagger.thresholds, 0.0) | {first: 0.97, second: 0.99}
    assert tagger.following(scores) == {second: 0.99}


def test_hair_is_not_long_and_short_at_once(tagger):
    scores = dict.fromkeys(tagger.thresholds, 0.0) | {"long_hair": 0.9, "short_hair": 0.95}
    assert tagger.following(scores) == {"short_hair": 0.95}


def test_a_card_without_tags_is_reported(tmp_path, monkeypatch):
    for stem in ("head_place", "heads"):
        for path in weights.BUILTIN.glob(f"{stem}.*"):
            shutil.copy(path, tmp_path / path.name)
    card = json.loads((tmp_path / "heads.json").read_text())
    del card["tags"]
    (tmp_path / "heads.json").write_text(json.dumps(card))
    monkeypatch.setattr(weights, "BUILTIN", tmp_path)
    with pytest.raises(BadInput, match=r"heads\.json"):
        BuiltinHeadTagger()
