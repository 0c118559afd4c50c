"""What classifiers say of whole pictures helps to choose frames; it is no part of a caption."""

from __future__ import annotations

from annotate.models import FrameTag, Tag, TagCategory
from annotate.tagging import from_pixels
from export.algorithms.captions import CaptionOptions, caption
from export.algorithms.plan import facts
from export.algorithms.recipe import Recipe
from export.build import rows_from_database
from tests.export.conftest import Show


def say(show: Show, *names: str) -> None:
    for number, name in enumerate(names):
        tag, _ = Tag.objects.get_or_create(name=name, defaults={"category": TagCategory.META})
        FrameTag.objects.create(frame=show.frames[0], tag=tag, score=1 - number / 10)


def test_classes_are_in_no_caption_and_no_list_of_tags(show: Show) -> None:
    say(show, "class:illustration", "aesthetic:best", "monochrome:normal", "rating:safe", "quality:best_quality")
    first = next(iter(rows_from_database.pictures(show.collection)))
    assert not any(":" in tag for tag in first.tags)
    for preset in (CaptionOptions(), CaptionOptions(rating_prob=1.0)):
        text = caption(facts(first, Recipe()), preset, key="a")
        assert not any(word in text for word in ("class", "aesthetic", "monochrome", "illustration", "safe", "best"))


def test_they_follow_the_other_tags_where_the_recipe_asks_for_them(show: Show) -> None:
    say(show, "class:illustration", "rating:safe")
    first = next(iter(rows_from_database.pictures(show.collection)))
    options = CaptionOptions(meta_tags=True, max_tags=99)
    words = caption(facts(first, Recipe()), options, key="a").split(", ")
    assert "class:illustration" in words[-2:]
    assert "highres" in words
    assert "rating:safe" not in words


def test_uncertain_computed_tags_are_in_captions_only_where_the_recipe_asks_for_them(show: Show) -> None:
    version = from_pixels.scored_version().version
    for name, score, by_person in (("grey_hair", 0.4, False), ("upper_body", 0.9, False), ("portrait", 0.4, True)):
        tag, _ = Tag.objects.get_or_create(name=name)
        FrameTag.objects.update_or_create(
            frame=show.frames[0], tag=tag, defaults={"score": score, "model_version": version, "by_person": by_person}
        )
    other, _ = Tag.objects.get_or_create(name="hat")
    FrameTag.objects.create(frame=show.frames[0], tag=other, score=0.4)
    picture = next(iter(rows_from_database.pictures(show.collection)))
    assert "grey_hair" in picture.tags
    by_default = caption(facts(picture, Recipe()), CaptionOptions(max_tags=99), key="a")
    assert "grey hair" not in by_default
    assert all(words in by_default for words in ("upper body", "portrait", "hat"))
    assert "grey hair" in caption(facts(picture, Recipe()), CaptionOptions(max_tags=99, weak_tags=True), key="a")


def test_danboorus_rating_goes_before_a_classifiers(show: Show) -> None:
    say(show, "rating:r15")
    assert next(iter(rows_from_database.pictures(show.collection))).rating == "r15"
    say(show, "rating:safe", "rating:explicit")
    assert next(iter(rows_from_database.pictures(show.collection))).rating == "explicit"
