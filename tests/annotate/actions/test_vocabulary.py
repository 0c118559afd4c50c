"""The tag vocabulary: import of a CSV, and completion of typed text."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from annotate.actions.vocabulary import import_rows
from annotate.models import Tag, TagAlias

pytestmark = pytest.mark.django_db

GOOD = '1girl,0,6008644,"1girls,sole_female"\nlong_hair,0,4350743,"/lh,longhair"\nsolo,0,5000954,\n'


def run(text):
    return import_rows(io.StringIO(text))


def test_tags_come_with_category_count_and_aliases():
    report = run(GOOD + "touhou,3,900574\n")
    assert (report.tags, report.new, report.aliases, report.problems) == (4, 4, 4, [])
    assert TagAlias.objects.get(name="/lh").tag.name == "long_hair"
    assert Tag.objects.get(name="touhou").category == 3


def test_a_second_import_updates():
    run(GOOD)
    first = Tag.objects.get(name="solo").pk
    report = run("solo,5,7,alone\n")
    tag = Tag.objects.get(name="solo")
    assert (tag.pk, tag.category, tag.post_count) == (first, 5, 7)
    assert (report.tags, report.new) == (1, 0)
    assert Tag.objects.count() == 3


def test_bad_rows_are_reported_by_number_and_the_rest_goes_in():
    report = run(
        'solo,0,1,\n"a,b",0,1,\nx,2,1,\ny,0,-1,\nz,0\nw,0,99999999999,\n'
        + 'bad\udcff,0,1,\n' + "n" * 201 + ",0,1,\nsmile,0,5,\nsolo,0,9,\n"
    )  # fmt: skip
    assert sorted(Tag.objects.values_list("name", "post_count")) == [("smile", 5), ("solo", 9)]
    assert [problem.split(":")[0] for problem in report.problems] == [f"row {n}" for n in (2, 3, 4, 5, 6, 7, 8, 10)]
    assert "comma" in report.problems[0]
    assert "category" in report.problems[1]


def test_an_alias_of_two_tags_belongs_to_the_more_frequent_and_a_tag_is_no_alias():
    report = run("tail,0,100,tails\nanimal_tail,0,5,tails\nfox,0,7,tail\n")
    assert list(TagAlias.objects.values_list("name", "tag__name")) == [("tails", "tail")]
    assert report.problems == ["row 2: alias tails belongs to tail, which is more frequent"]


def test_a_former_alias_that_became_a_tag_is_no_alias_any_more():
    run("tail,0,100,tails\n")
    run("tails,0,3,\n")
    assert not TagAlias.objects.exists()


def test_the_command_says_what_it_did_and_refuses_what_is_no_vocabulary(tmp_path, capsys):
    path = tmp_path / "tags.csv"
    path.write_text("\ufeffname,category,count,aliases\n" + GOOD, encoding="utf-8")
    call_command("import_tags", str(path))
    assert "3 tags (3 new) and 4 aliases" in capsys.readouterr().out
    path.write_text(GOOD + "bad,99,1,\n", encoding="utf-8")
    with pytest.raises(CommandError, match="1 rows could not be read and were left out; all others are imported"):
        call_command("import_tags", str(path))
    with pytest.raises(CommandError, match=r"none\.csv cannot be read"):
        call_command("import_tags", str(tmp_path / "none.csv"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe")
    with pytest.raises(CommandError, match="holds no tags"):
        call_command("import_tags", str(path))


def names(text):
    return [tag.name for tag in Tag.objects.completing(text)[:10]]


def test_completion_takes_prefix_then_alias_then_later_words_by_count():
    run(
        "hair,0,1,\nhair_ribbon,0,50,\nhair_bow,0,90,\nlong_hair,0,900,\nshort_hair,0,950,\nchair,0,5000,\n"
        'coiffure,0,3,"hairdo"\n'
    )
    assert names("hair") == ["hair", "hair_bow", "hair_ribbon", "coiffure", "short_hair", "long_hair", "chair"]
    assert names("Long H") == ["long_hair"]
    assert names("") == []
    assert names("ha") == ["hair_bow", "hair_ribbon", "hair", "coiffure"]


def test_completion_takes_wildcards_as_letters():
    run("100%,0,5,\n1000,0,9,\na_b,0,2,\naxb,0,3,\n")
    assert names("100%") == ["100%"]
    assert names("a_b") == ["a_b"]


def test_the_real_vocabulary_is_read_whole(test_data):
    with (test_data / "tags" / "danbooru.csv").open(encoding="utf-8") as lines:
        head = [next(lines) for _ in range(3000)]
    report = import_rows(head)
    assert report.tags == 3000
    assert names("sole_f") == ["1girl"]
