"""Rows of the last release come through: what files said, who named which face, which source they came from."""

from __future__ import annotations

import pytest

from tests.migrating import tables_of

LAST_RELEASE = [("ingest", "0006_bare_frames"), ("annotate", "0013_tag_lists")]


@pytest.mark.django_db(transaction=True)
def test_rows_of_the_last_release_keep_their_names_and_what_files_said() -> None:
    with tables_of(*LAST_RELEASE) as old:
        collection = old.get_model("ingest", "Collection").objects.create(name="Old")
        source = old.get_model("ingest", "Source").objects.create(
            collection=collection, kind="pictures", name="art", path="art", sha256="0" * 64
        )
        episode = old.get_model("ingest", "Episode").objects.create(collection=collection, source=source, title="art")
        side = {"character": ["miku"], "general": ["hat"], "rating": "s", "caption": "A girl stands."}
        frame = old.get_model("ingest", "Frame").objects.create(
            collection=collection, episode=episode, index=0, name="a.png", width=9, height=9, measures={"side": side}
        )
        who = old.get_model("annotate", "Character").objects.create(collection=collection, name="Miku")
        face = old.get_model("annotate", "Face").objects.create(
            collection=collection, frame=frame, left=0, top=0, right=1, bottom=1, character=who, named_by="person"
        )
    from annotate.models import Face
    from annotate.tagging.from_files import facts_of_files, tags_of
    from ingest.models import Frame

    row = Face.objects.select_related("character").get(pk=face.pk)
    assert (row.character.name, row.named_by) == ("Miku", "person")
    kept_frames = Frame.objects.select_related("episode__source").get(pk=frame.pk)
    assert kept_frames.episode.source.rating_scheme == ""
    facts = facts_of_files([kept_frames])[kept_frames.pk].own_facts
    assert facts.captions == ("A girl stands.",)
    assert set(tags_of(facts)) == {"miku", "hat"}  # of the rating only a letter is left, which may mean two things
    assert set(tags_of(facts, scheme="old")) == {"miku", "hat", "rating:safe"}
