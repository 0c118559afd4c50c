"""The index of stored files also finds kept frames that lack theirs."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ingest", "0005_page_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="frame",
            name="frame_file",
        ),
        migrations.AddIndex(
            model_name="frame",
            index=models.Index(fields=["file", "state", "episode"], name="frame_file"),
        ),
    ]
