"""Random scenes and heads for training."""

from __future__ import annotations

import numpy as np

from demo_film.crops import identity_appearance, random_head, random_scene


def test_a_scene_has_its_size_and_its_boxes_lie_inside() -> None:
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(25):
        picture, boxes, who = random_scene(rng, (160, 120))
        assert picture.shape == (120, 160, 3) and picture.dtype == np.uint8
        assert len(boxes) == len(who)
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= 160 and 0 <= top < bottom <= 120
            assert 0.5 < (right - left) / (bottom - top) < 1.6 or min(left, top) <= 0 or right >= 160 or bottom >= 120
        seen += len(boxes)
    assert seen >= 15


def test_the_same_generator_draws_the_same_scene() -> None:
    a, boxes_a, who_a = random_scene(np.random.default_rng(5), (160, 120))
    b, boxes_b, who_b = random_scene(np.random.default_rng(5), (160, 120))
    assert np.array_equal(a, b) and boxes_a == boxes_b and who_a == who_b


def test_an_identity_is_one_person_in_changing_clothes() -> None:
    rng = np.random.default_rng(1)
    heads = [random_head(rng, 64, identity=42) for _ in range(6)]
    hair = f"{identity_appearance(42).hair}_hair"
    assert all(h.identity == 42 and hair in h.tags for h in heads)
    assert len({tuple(h.tags) for h in heads}) > 1


def test_only_backs_of_heads_have_no_box() -> None:
    rng = np.random.default_rng(2)
    heads = [random_head(rng, 48) for _ in range(60)]
    assert {h.view for h in heads} == {"front", "three_quarter", "side", "back"}
    assert all((h.box is None) == (h.view == "back") for h in heads)
    assert all(random_head(rng, 48, back_views=False).box is not None for _ in range(20))
