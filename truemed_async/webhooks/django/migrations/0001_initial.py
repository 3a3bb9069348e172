"""Create the table of handled events."""

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Create the table of handled events."""

    initial: ClassVar[bool | None] = True
    dependencies: ClassVar[Sequence[tuple[str, str]]] = ()
    operations: ClassVar[Sequence[Operation]] = (
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
