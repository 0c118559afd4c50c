"""Tags from boxes, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.algorithms.box_tags import counted, of_text, plural
from annotate.algorithms.tag_rules import tag_name


def names(following):
    return [tag_name(label) for label, _ in following]


def test_each_of_the_models_labels_is_counted_also_when_there_are_none() -> None:
    scores, labels = np.array([0.9, 0.4, 0.8], np.float32), np.array([0, 0, 1])
    result = counted(("person", "hand", "halfbody"), scores, labels)
    assert names(result) == ["persons:2", "hands:1", "half_bodies:0"]
    assert [score for _, score in result] == pytest.approx([0.4, 0.8, 1.0])


def test_a_crowd_is_one_tag() -> None:
    assert names(counted(("head",), np.ones(10, np.float32), np.zeros(10, np.int64))) == ["heads:9+"]
    assert names(counted(("head",), np.ones(9, np.float32), np.zeros(9, np.int64))) == ["heads:9"]


def test_hostile_labels_become_plain_words() -> None:
    assert plural("eyes") == "eyes" and plural("A <b> \n c") == "a_b_cs" and plural("顔") == "boxs"


def test_text_is_reported_with_its_share_and_its_use() -> None:
    assert of_text(np.zeros((0, 4), np.float32)) == []
    result = of_text(np.array([[0.25, 0.85, 0.75, 0.95]], np.float32))
    assert names(result) == ["text", "subtitled"] and result[0][1] == pytest.approx(0.05)
    many = np.array([[0.4, 0.1 * row, 0.6, 0.1 * row + 0.05] for row in range(1, 8)], np.float32)
    assert names(of_text(many)) == ["text", "credits"]
    assert of_text(many)[1][1] == result[1][1] == 1.0
