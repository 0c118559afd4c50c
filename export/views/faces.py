"""Example faces of the export page, drawn by the real upscaler in a worker while the page waits."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from export import forms, jobs
from export.algorithms.recipe import RecipeError
from export.preview import example_faces as face_examples
from export.preview.result import example_faces
from export.views.recipes import examples_page, result_of
from ingest.access import member_view
from ingest.errors import BadInput
from ingest.models import Collection, Role
from ingest.views.once import own_key
from ingest.views.responses import errors_in_words


@own_key
@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def export_faces(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Ask for the faces of the examples that the posted recipe shows (`again`: also failed ones); the examples as they
    are now. The page asks again and again while some are left."""
    try:
        recipe = forms.recipe_from(request.POST)
    except RecipeError as error:
        raise BadInput(str(error)) from error
    page = examples_page(request.POST)
    parts = example_faces(collection, recipe, page=page)
    if face_examples.ask(collection, recipe, parts, again="again" in request.POST):
        transaction.on_commit(lambda: jobs.wake() and None)
    return render(request, "export/result/examples.html", result_of(collection, recipe, page=page))
