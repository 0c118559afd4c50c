"""Episodes, frames, faces, characters."""

from __future__ import annotations

from django.urls import path

from annotate.views import (
    characters,
    compare,
    compare_embedders,
    episodes,
    faces,
    frame,
    frames,
    here,
    models,
    names,
    own_quality,
    quality,
)

C = "c/<int:collection_id>"

urlpatterns = [
    path("models/", models.models, name="models"),
    path("models/work/", models.models_work, name="models_work"),
    path("models/act/", models.models_act, name="models_act"),
    path("models/import/", models.models_import, name="models_import"),
    path("models/jobs/<int:job_id>/", models.models_job, name="models_job"),
    path(f"{C}/models/", models.collection_models, name="collection_models"),
    path(f"{C}/models/lists/", models.tag_list, name="tag_list"),
    path("quality/", quality.quality, name="quality"),
    path("quality/<int:evaluation_id>/", quality.evaluation, name="evaluation"),
    path("quality/<int:evaluation_id>/change/", quality.evaluation_change, name="evaluation_change"),
    path("quality/<int:evaluation_id>/mistakes/<int:place>/<int:number>/", quality.mistake_picture, name="mistake"),
    path(f"{C}/episodes/", episodes.episodes, name="episodes"),
    path(f"{C}/episodes/<int:episode_id>/", episodes.episode, name="episode"),
    path(f"{C}/frames/", frames.frames, name="frames"),
    path(f"{C}/frames/change/", frames.change, name="frames_change"),
    path(f"{C}/frames/<int:frame_id>/", frame.frame, name="frame"),
    path(f"{C}/frames/<int:frame_id>/still/", episodes.still, name="frame_still"),
    path(f"{C}/frames/<int:frame_id>/box/", frame.face_box, name="face_box"),
    path(f"{C}/frames/<int:frame_id>/check/", frame.face_check, name="face_check"),
    path(f"{C}/frames/<int:frame_id>/tags/", frame.frame_tags, name="frame_tags"),
    path(f"{C}/frames/<int:frame_id>/characters/", frame.characters_change, name="frame_characters"),
    path(f"{C}/frames/<int:frame_id>/caption/change/", frame.caption_change, name="caption_change"),
    path(f"{C}/faces/", faces.faces, name="faces"),
    path(f"{C}/faces/change/", faces.faces_change, name="faces_change"),
    path(f"{C}/faces/<int:face_id>/change/", frame.face_change, name="face_change"),
    path(f"{C}/clusters/<int:cluster_id>/change/", faces.cluster_change, name="cluster_change"),
    path(f"{C}/characters/", characters.characters, name="characters"),
    path(f"{C}/characters/tags/", characters.tag_names, name="character_tags"),
    path(f"{C}/characters/tags/name/", characters.tag_name, name="character_tag"),
    path(f"{C}/characters/create/", characters.create, name="character_create"),
    path(f"{C}/characters/<int:character_id>/", characters.character, name="character"),
    path(f"{C}/characters/<int:character_id>/change/", characters.change, name="character_change"),
    path(f"{C}/compare/", compare.compare, name="compare"),
    path(f"{C}/compare/answer/", compare.compare_answer, name="compare_answer"),
    path(f"{C}/compare/embedders/", compare_embedders.compare_embedders, name="compare_embedders"),
    path(f"{C}/compare/embedders/answer/", compare_embedders.compare_embedders_answer, name="compare_embedders_answer"),
    path(f"{C}/quality/", own_quality.collection_quality, name="collection_quality"),
    path(f"{C}/quality/<int:evaluation_id>/", own_quality.collection_evaluation, name="collection_evaluation"),
    path(
        f"{C}/quality/<int:evaluation_id>/change/",
        own_quality.collection_evaluation_change,
        name="collection_evaluation_change",
    ),
    path(f"{C}/here/", here.here, name="here"),
    path(f"{C}/names/characters/", names.characters, name="character_names"),
    path(f"{C}/names/tags/", names.tags, name="tag_names"),
]
