"""The rules of a model beside its labels, so that stored answers are read without its files."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0007_model_choices"),
    ]

    operations = [
        migrations.AddField(
            model_name="modellabels",
            name="rules",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
