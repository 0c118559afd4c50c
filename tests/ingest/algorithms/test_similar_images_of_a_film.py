"""Similar-image removal on a real film, at its default: what is shown twice is kept once, and each shot stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.algorithms.best_copy import preference
from ingest.algorithms.near_duplicates import find_groups
from ingest.algorithms.quality import overall
from ingest.imaging.extraction import Extracted, ExtractParams, extract

SECOND_SHOWING_S = 49.7  # the cut of 6.2 s to 22.7 s begins again


def test_a_cut_that_is_shown_twice_is_kept_once_and_each_other_shot_keeps_a_frame(test_data: Path) -> None:
    film = test_data / "video" / "real_cuts_ep01.mp4"
    taken: list[Extracted] = [item for item in extract(film, ExtractParams()) if not item.reason]
    quality = np.asarray([overall(item.measures) for item in taken], dtype=np.float32)
    best_first = preference(quality, np.full(len(taken), 720.0, np.float32), worked_on=np.zeros(len(taken), bool))
    groups = find_groups(np.stack([item.descriptor for item in taken]), best_first)
    again = np.asarray([item.time_s >= SECOND_SHOWING_S for item in taken])
    assert again.sum() >= 5
    assert (again & groups.is_representative).sum() <= 0.1 * again.sum()
    assert groups.is_representative.mean() <= 0.4
    shots = np.asarray([item.shot for item in taken])
    assert set(shots[~again].tolist()) <= set(shots[groups.is_representative].tolist())
