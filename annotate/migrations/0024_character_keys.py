"""Characters get the digit that means them while one names faces: those with the most faces, as pages counted them."""

import django.core.validators
from django.db import migrations, models

KEYS = range(1, 10)


def give_keys(apps, schema_editor):
    characters = apps.get_model('annotate', 'Character').objects
    named = models.Count('faces', filter=models.Q(faces__state='face'))
    for collection in characters.order_by().values_list('collection', flat=True).distinct():
        rows = characters.filter(collection=collection).annotate(named=named).filter(named__gt=0)
        for key, row in zip(KEYS, rows.order_by('-named', 'name')[: len(KEYS)]):
            characters.filter(pk=row.pk).update(key=key)


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0023_state_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='character',
            name='key',
            field=models.PositiveSmallIntegerField(
                blank=True,
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(9),
                ],
            ),
        ),
        migrations.RunPython(give_keys, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name='character',
            constraint=models.UniqueConstraint(fields=('collection', 'key'), name='character_key_once'),
        ),
    ]
