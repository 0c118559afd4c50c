"""Addresses of the pages of export."""

from __future__ import annotations

from django.urls import path

from export.views import caption_tags, captions, downloads, faces, jobs, overview, readback, recipes, releases

C = "c/<int:collection_id>"

urlpatterns = [
    path(f"{C}/", overview.overview, name="overview"),
    path(f"{C}/export/", recipes.export, name="export"),
    path(f"{C}/export/preview/", recipes.export_preview, name="export_preview"),
    path(f"{C}/export/faces/", faces.export_faces, name="export_faces"),
    path(f"{C}/export/frames/<int:frame_id>/tag/", caption_tags.export_tag, name="export_tag"),
    path(f"{C}/export/change/", recipes.export_change, name="export_change"),
    path(f"{C}/export/recipes/<int:recipe_id>.json", recipes.recipe_file, name="recipe_file"),
    path(f"{C}/frames/<int:frame_id>/caption/", recipes.frame_caption, name="frame_caption"),
    path(f"{C}/captions/", captions.captions, name="captions"),
    path(f"{C}/captions/preview/", captions.preview, name="captions_preview"),
    path(f"{C}/captions/change/", captions.change, name="captions_change"),
    path(f"{C}/captions/<int:frame_id>/", captions.write, name="captions_write"),
    path(f"{C}/exports/", jobs.exports, name="exports"),
    path(f"{C}/exports/<int:job_id>/change/", jobs.job_change, name="export_job_change"),
    path(f"{C}/exports/<int:job_id>/reread/", readback.reread, name="export_reread"),
    path(f"{C}/releases/", releases.releases, name="releases"),
    path(f"{C}/releases/<int:release_id>/", releases.release, name="release"),
    path(f"{C}/releases/<int:release_id>/manifest/", releases.release_manifest, name="release_manifest"),
    path(f"{C}/exports/<int:job_id>/download/", downloads.download, name="export_download"),
]
