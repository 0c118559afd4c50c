"""Adding, sources, runs, members, history."""

from __future__ import annotations

from django.urls import path

from ingest.views import adding, collections, estimate, files, history, members, runs, site

urlpatterns = [
    path("", collections.collections, name="collections"),
    path("site/people/", site.people, name="site_people"),
    path("site/people/add/", site.person_add, name="site_person_add"),
    path("site/people/<int:person_id>/", site.person_change, name="site_person"),
    path("site/people/<int:person_id>/account/", site.person_account, name="site_account"),
    path("site/collections/", site.collections, name="site_collections"),
    path("site/collections/<int:limits_of>/", site.collection_limits, name="site_collection"),
    path("site/uploads/", site.all_uploads, name="site_uploads"),
    path("site/uploads/<int:upload_id>/discard/", site.upload_discard, name="site_upload_discard"),
    path("c/<int:collection_id>/settings/", collections.settings_page, name="collection_settings"),
    path("c/<int:collection_id>/archive/", collections.archive, name="collection_archive"),
    path("c/<int:collection_id>/delete/", collections.delete, name="collection_delete"),
    path("c/<int:collection_id>/members/", members.members, name="members"),
    path("c/<int:collection_id>/members/invite/", members.invite, name="invite"),
    path("c/<int:collection_id>/members/invite/<int:invitation_id>/withdraw/", members.revoke, name="withdraw"),
    path("c/<int:collection_id>/members/<int:member_id>/", members.change, name="member_change"),
    path("c/<int:collection_id>/add/", adding.add, name="add_episodes"),
    path("c/<int:collection_id>/add/library/", adding.browse, name="library"),
    path("c/<int:collection_id>/add/uploads/", adding.upload_begin, name="upload_begin"),
    path("c/<int:collection_id>/add/uploads/<int:upload_id>/", adding.upload, name="upload"),
    path("c/<int:collection_id>/add/uploads/<int:upload_id>/discard/", adding.upload_discard, name="upload_discard"),
    path("c/<int:collection_id>/add/skipped/", adding.skipped, name="skipped"),
    path("c/<int:collection_id>/add/episodes/<int:episode_id>/", adding.change, name="episode_change"),
    path("c/<int:collection_id>/add/episodes/<int:episode_id>/delete/", adding.forget, name="episode_forget"),
    path("c/<int:collection_id>/file/<path:name>", files.file, name="file"),
    path("c/<int:collection_id>/runs/estimate/", estimate.estimate, name="estimate"),
    path("c/<int:collection_id>/runs/", runs.runs, name="runs"),
    path("c/<int:collection_id>/runs/start/", runs.start, name="run_start"),
    path("c/<int:collection_id>/runs/<int:number>/", runs.run, name="run"),
    path("c/<int:collection_id>/runs/<int:number>/change/", runs.change, name="run_change"),
    path("c/<int:collection_id>/work/", runs.work, name="work"),
    path("c/<int:collection_id>/undo/", history.undo, name="undo"),
    path("c/<int:collection_id>/undo/<int:operation_id>/", history.undo, name="undo_one"),
    path("c/<int:collection_id>/history/", history.history_page, name="history"),
]
