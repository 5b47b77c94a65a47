"""A project with two databases; ``python -m tests.storages.fields.two_databases DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings


def main(folder: Path) -> None:
    sqlite = "django.db.backends.sqlite3"
    settings.configure(
        INSTALLED_APPS=["tests.storages.fields"],
        DATABASES={
            "default": {"ENGINE": sqlite, "NAME": str(folder / "default.sqlite3")},
            "other": {"ENGINE": sqlite, "NAME": str(folder / "other.sqlite3")},
        },
        MEDIA_ROOT=str(folder / "media"),
        USE_TZ=True,
    )
    django.setup()
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from django.db import connections, transaction

    from tests.storages.fields.models import Paper, Plain, SignedPaper

    def files() -> set[str]:
        return set(default_storage.listdir("")[1])

    for alias in ("default", "other"):
        with connections[alias].schema_editor() as editor:
            for model in (Paper, SignedPaper, Plain):  # the table of Photo is nowhere
                editor.create_model(model)
    paper = Paper.objects.using("other").create(file=ContentFile(b"a", "a.txt"))
    with transaction.atomic(using="default"):
        paper.file = ContentFile(b"b", "b.txt")
        paper.save()
        assert files() == {"b.txt"}
    with transaction.atomic(using="other"):
        paper.file = ContentFile(b"c", "c.txt")
        paper.save(using="other")
        assert files() == {"b.txt", "c.txt"}
    assert files() == {"c.txt"}
    # A row of the other database counts too; a table that is not there has no rows.
    Paper.objects.using("default").create(file="c.txt")
    paper.delete(using="other")
    assert files() == {"c.txt"}
    plain = Plain.objects.using("other").create(attachment="c.txt")
    Paper.objects.using("default").get().delete()
    assert files() == {"c.txt"}
    plain.delete()
    Paper.objects.using("default").create(file="c.txt").delete()
    assert files() == set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
