"""Runs the text detector before copies are compared, so that the frames without subtitles are kept."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings

from annotate.algorithms import packing
from annotate.algorithms.text_boxes import use_of
from annotate.backends.model_files import registry
from annotate.backends.model_files.registry import Installed
from annotate.chosen_models.choices import chosen_all
from annotate.models import ModelAnswer
from annotate.stages.run_models import Result, RunModels, RunModelsParams
from ingest.models import Frame

TASK = "text"
PAGE = 500  # rows per query


class FindText(RunModels):
    """Frames without an answer of the text detector; its answers are stored like any model's, so it runs once per
    frame."""

    name: ClassVar[str] = "text"
    label: ClassVar[str] = "Text"
    about: ClassVar[str] = "Finds subtitles and credits, so that of similar frames the clean one is kept."
    queue: ClassVar[str] = "gpu"
    params_type: ClassVar[type] = RunModelsParams

    @classmethod
    def by_default(cls) -> bool:
        """Return whether a text detector is installed."""
        return bool(registry.installed(settings.KOMA_MODELS_DIR, task=TASK))

    def _chosen(self) -> list[tuple[str, Installed | None]]:
        installed_models = {model.name: model for model in registry.installed(settings.KOMA_MODELS_DIR, task=TASK)}
        return [
            (name, installed_models[name]) for name in chosen_all(self.ctx.collection, TASK) if name in installed_models
        ]

    def save(self, result: Result) -> int:
        done = super().save(result)
        for packed in result.rows:
            _write_shares(packed)
        return done

    def finish(self) -> None:
        """Write the shares of frames that were processed before this stage existed."""
        super().finish()
        versions = [slot.version for slot in self.slots]
        unread = ModelAnswer.objects.filter(
            model_version__in=versions, frame__collection=self.ctx.collection, frame__text_share=None
        )
        if self.ctx.episode is not None:
            unread = unread.filter(frame__episode=self.ctx.episode)
        last = 0
        while rows := list(unread.filter(frame__gt=last).order_by("frame_id").values_list("frame_id", "data")[:PAGE]):
            last = rows[-1][0]
            _write_shares({pk: bytes(data) for pk, data in rows})


def _write_shares(packed: dict[int, bytes]) -> None:
    """Write, by frame key, the share of the picture covered by the stored boxes."""
    shares = {pk: use_of(packing.unpack_boxes(data)[0]).share for pk, data in packed.items()}
    rows = list(Frame.objects.select_for_update().filter(pk__in=shares).order_by("pk").only("pk"))
    for row in rows:
        row.text_share = round(shares[row.pk], 4)
    Frame.objects.bulk_update(rows, ["text_share"])
