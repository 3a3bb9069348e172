"""Create the table of handled events."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Create the table of handled events."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=64)),
                ("done", models.BooleanField()),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={"verbose_name_plural": "deliveries"},
        ),
    )
