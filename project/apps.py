"""The site's own app: start-up commands, login, health and pages that belong to no other app."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ProjectConfig(AppConfig):
    """Start-up, login and health."""

    name = "project"
    verbose_name = "Koma"
    default_auto_field = "django.db.models.BigAutoField"


class KomaAdminConfig(AdminConfig):
    """Django's admin with our site in place of its own."""

    default_site = "project.admin_site.KomaAdminSite"
