"""The stage `look` is called `run_models`: its rows, the settings of runs and what the history holds of them."""

from django.db import migrations

from ingest.pipeline.renamed import rename_stages


def forwards(apps, schema_editor):
    rename_stages(apps, {"look": "run_models"})


def backwards(apps, schema_editor):
    rename_stages(apps, {"run_models": "look"})


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0020_tag_completion"),
        ("ingest", "0014_best_copy"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
