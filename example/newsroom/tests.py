"""How a project tests its uploads: without a server, a key or a network.

``python example/manage.py test newsroom`` runs them.
"""

from __future__ import annotations

import base64

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import TestCase, TransactionTestCase

from newsroom.models import Article
from smart_storages.testing import (
    assert_not_saved,
    assert_saved,
    assert_url_not_signed,
    assert_url_signed,
    failing,
    override_buckets,
)

LETTER = b"%PDF-1.4 a letter of the keeper"
#: A picture of one grey point.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


class FilesStories:
    def file_a_story(self, **files):
        story = {
            "headline": "The old light",
            "standfirst": "It turns again.",
            "image": SimpleUploadedFile("light.png", PICTURE, "image/png"),
        }
        return self.client.post("/", {**story, **files})


@override_buckets()
class StoryTests(FilesStories, TestCase):
    def test_a_source_is_private(self):
        response = self.file_a_story(
            source=SimpleUploadedFile("letter.pdf", LETTER, "application/pdf")
        )
        assert response.status_code == 302
        story = Article.objects.get()
        assert_saved("documents", story.source.name, LETTER, content_type="application/pdf")
        assert_url_signed(story.source.url)

    def test_a_picture_is_public(self):
        self.file_a_story()
        story = Article.objects.get()
        assert_saved("media", story.image.name, PICTURE, content_type="image/png")
        assert_url_not_signed(story.image.url)

    def test_a_program_is_refused_and_not_saved(self):
        response = self.file_a_story(source=SimpleUploadedFile("letter.exe", b"MZ"))
        assert response.status_code == 200
        assert_not_saved("documents")
        assert not Article.objects.exists()


# A failed save of a model ends the transaction in which Django's TestCase runs.
@override_buckets()
class FailureTests(FilesStories, TransactionTestCase):
    def test_a_bucket_that_does_not_answer_gives_a_message_and_no_story(self):
        with failing("documents", on="save") as order:
            response = self.file_a_story(
                source=SimpleUploadedFile("letter.pdf", LETTER, "application/pdf")
            )
        self.assertContains(response, "did not take the file")
        assert order.failed == 1
        assert not Article.objects.exists()
