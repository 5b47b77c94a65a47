"""Direct uploads for APIs made with Django REST framework, and for their mobile clients.

The extra ``drf`` installs the framework.
"""

from __future__ import annotations

from typing import Any, Type

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from smart_storages.exceptions import UploadError
from smart_storages.uploads import steps
from smart_storages.uploads.adopting import claim_upload
from smart_storages.uploads.limits import check_plain
from smart_storages.uploads.targets import find_target
from smart_storages.uploads.views import answer

__all__ = ["DirectUploadField", "DirectUploadView", "upload_urls"]


class DirectUploadField(serializers.FileField):  # type: ignore[misc]
    """A file field of a serializer that is sent the token of a direct upload, or a file.

    Args:
        upload_label: What is uploaded for: ``"app.Model.field"``, or a registered name.
        kwargs: As for ``FileField`` of the framework.

    Example::

        class FilmSerializer(serializers.ModelSerializer):
            video = DirectUploadField("press.Film.video")

            class Meta:
                model = Film
                fields = ["title", "video"]
    """

    def __init__(self, upload_label: str, **kwargs: Any) -> None:
        self.upload_label = upload_label
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """Return the file of a token, complete and checked; or the file that was sent, checked."""
        try:
            if not isinstance(data, str):
                found = super().to_internal_value(data)
                check_plain(find_target(self.upload_label).limits, found)
                return found
            return claim_upload(self.context["request"], data, self.upload_label)
        except UploadError as error:
            raise serializers.ValidationError(str(error), code=error.code) from error


class DirectUploadView(APIView):  # type: ignore[misc]
    """One of the views of uploads, with the authentication and the throttles of the framework.

    Example::

        path("uploads/<str:action>", DirectUploadView.as_view())
    """

    def post(self, request: Any, action: str) -> Response:
        """Answer as the view of the same name in :mod:`smart_storages.uploads.views`."""
        if action not in steps.ACTIONS:
            return Response(status=404)
        data = request.data if isinstance(request.data, dict) else {}
        status, body, headers = answer(request, action, data)
        return Response(body, status=status, headers=headers)


def upload_urls(view: Type[DirectUploadView] = DirectUploadView) -> URLPattern:
    """Return the URLs of a view, for an API beside the site.

    Args:
        view: The view, or a subclass with an authentication of its own.

    Example::

        urlpatterns = [path("api/uploads/", include([upload_urls()]))]
    """
    made: URLPattern = path("<str:action>", view.as_view())
    return made
