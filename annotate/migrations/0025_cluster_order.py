from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0024_character_keys'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='facecluster',
            options={'ordering': ('number',)},
        ),
        migrations.RemoveIndex(
            model_name='facecluster',
            name='cluster_page',
        ),
        migrations.AddIndex(
            model_name='facecluster',
            index=models.Index(
                models.F('collection'),
                models.OrderBy(
                    models.expressions.CombinedExpression(models.F('size'), '*', models.F('purity')), descending=True
                ),
                models.F('number'),
                name='cluster_usefulness',
            ),
        ),
    ]
