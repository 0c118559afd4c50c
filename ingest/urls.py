"""Adding, sources, runs, members, history."""

from __future__ import annotations

from django.urls import path

from ingest.views import history, runs

urlpatterns = [
    path("c/<int:collection_id>/runs/", runs.runs, name="runs"),
    path("c/<int:collection_id>/runs/start/", runs.start, name="run_start"),
    path("c/<int:collection_id>/runs/<int:run_id>/", runs.run, name="run"),
    path("c/<int:collection_id>/runs/<int:run_id>/change/", runs.change, name="run_change"),
    path("c/<int:collection_id>/work/", runs.work, name="work"),
    path("c/<int:collection_id>/undo/", history.undo, name="undo"),
    path("c/<int:collection_id>/undo/<int:operation_id>/", history.undo, name="undo_one"),
    path("c/<int:collection_id>/history/", history.history_page, name="history"),
]
