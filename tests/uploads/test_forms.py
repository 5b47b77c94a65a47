"""The widget and the fields of forms, by themselves and in formsets."""

from __future__ import annotations

import copy
import json
import re
from html import unescape
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from smart_storages.exceptions import ConfigurationError
from smart_storages.uploads.files import DirectUploadFile
from smart_storages.uploads.forms import (
    DirectFileField,
    DirectFileInput,
    MultipleDirectFileInput,
    direct_widget,
)
from smart_storages.uploads.middleware import current_request, use_request
from smart_storages.uploads.models import DirectUpload
from tests.uploads.browser import Browser
from tests.uploads.conftest import film, picture
from tests.uploads.models import Film, Plain
from tests.uploads.urls import AlbumForm, AttachmentForm

pytestmark = pytest.mark.django_db(transaction=True)


def posted(**fields: str) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update(fields)
    return data


class TestSeveralFiles:
    def test_are_a_list(self, browser: Any, store: Any, request_of: Any) -> None:
        tokens = [browser.upload(film(), f"{each}.mp4", "attachments") for each in "ab"]
        with use_request(request_of(browser)):
            form = AlbumForm(posted(**{"photos-upload": json.dumps(tokens)}))
            assert form.is_valid(), form.errors
        assert [each.name for each in form.cleaned_data["photos"]] == ["a.mp4", "b.mp4"]
        html = str(form)
        assert " data-multiple" in html
        assert re.search('<input type="file"[^>]* multiple', html)
        hidden = re.search('name="photos-upload" value="([^"]*)"', html).group(1)
        assert json.loads(unescape(hidden)) == tokens

    def test_are_all_there_and_each_once(self, browser: Any, store: Any, request_of: Any) -> None:
        tokens = [f"token-{each}" for each in range(1500)]
        data = posted(**{"photos-upload": json.dumps([*tokens, "token-7"])})
        found = AlbumForm().fields["photos"].widget.value_from_datadict(data, {}, "photos")
        assert [each.token for each in found] == tokens

    def test_of_which_one_is_refused(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
    ) -> None:
        good = browser.upload(film(), "a.mp4", "attachments")
        bad = browser.upload(b"<html>", "b.mp4", "attachments")
        with use_request(request_of(browser)):
            form = AlbumForm(posted(**{"photos-upload": json.dumps([good, bad])}))
            assert form.has_error("photos", "wrong_content")
            hidden = re.search('name="photos-upload" value="([^"]*)"', str(form)).group(1)
        assert json.loads(unescape(hidden)) == [good]

    def test_without_a_script(self, store: Any) -> None:
        files = MultiValueDict({"photos": [SimpleUploadedFile(f"{n}.mp4", film()) for n in "ab"]})
        form = AlbumForm(posted(), files)
        assert form.is_valid(), form.errors
        assert [each.name for each in form.cleaned_data["photos"]] == ["a.mp4", "b.mp4"]
        assert not AlbumForm(posted(), MultiValueDict()).is_valid()

    @pytest.mark.parametrize("given", ["x", "[1]", "{}", "[", '["a"]', json.dumps(["a"] * 2000)])
    def test_that_are_none(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
        given: str,
    ) -> None:
        with use_request(request_of(browser)):
            assert not AlbumForm(posted(**{"photos-upload": given})).is_valid()


class TestAFormset:
    def test_has_an_upload_in_each_form(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
    ) -> None:
        formset_class = forms.modelformset_factory(Film, fields=["title", "video"], extra=3)
        data = {
            "form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0",
            "form-0-title": "a", "form-0-video-upload": browser.upload(film(mark=b"a")),
            "form-1-title": "b", "form-1-video-upload": browser.upload(film(mark=b"b")),
            "form-2-title": "", "form-2-video-upload": "",
        }  # fmt: skip
        with use_request(request_of(browser)):
            formset = formset_class(posted(**data))
            assert formset.is_valid(), formset.errors
            formset.save()
        assert Film.objects.count() == 2
        assert len({each.video.name for each in Film.objects.all()}) == 2


class TestTheWidget:
    def test_says_what_it_lacks(self) -> None:
        for label in ("", "uploads_tests.Film.title", "nothing"):
            with pytest.raises(ConfigurationError, match="DirectUploadAdminMixin"):
                DirectFileInput(label).render("a", None)

    def test_asks_for_one_script_however_many_there_are(self) -> None:
        both = DirectFileInput("a").media + MultipleDirectFileInput("b").media
        html = str(both)
        script = '<script src="/static/smart_storages/uploads/smart-upload.js" type="module">'
        assert html.count("<script") == html.count(script) == 1
        assert html.count("smart-upload.css") == 1

    def test_says_to_its_field_what_is_uploaded_for(self, store: Any) -> None:
        class PlainForm(forms.ModelForm):
            class Meta:
                model = Plain
                fields = ["attachment"]
                field_classes = {"attachment": DirectFileField}
                widgets = {"attachment": DirectFileInput("uploads_tests.Plain.attachment")}

        form = PlainForm({}, {"attachment": SimpleUploadedFile("a.png", picture("JPEG"))})
        assert form.has_error("attachment", "wrong_content")

    def test_names_the_form_that_it_stands_outside_of(self, store: Any) -> None:
        for html in (
            DirectFileInput("uploads_tests.Film.video", {"form": "films"}).render("a", None),
            DirectFileInput("uploads_tests.Film.video").render("a", None, {"form": "films"}),
        ):
            assert '<input type="hidden" name="a-upload" value="" form="films">' in html
        html = DirectFileInput("uploads_tests.Film.video").render("a", None)
        assert '<input type="hidden" name="a-upload" value="">' in html

    def test_names_its_field_differently_to_each_user_of_one_browser(
        self, browser: Any, stranger: Any, store: Any
    ) -> None:
        # Under that name a browser keeps which files somebody was uploading.
        def field_shown_to(each: Any) -> str:
            html = each.client.get("/page/film/").content.decode()
            return str(re.search('data-field="([^"]*)"', html).group(1))

        ann = field_shown_to(browser)
        assert ann == field_shown_to(browser)
        assert len({ann, field_shown_to(stranger), field_shown_to(Browser())}) == 3
        assert stranger.begin(film(), field=unescape(ann)).status_code == 201

    def test_takes_the_place_of_djangos(self) -> None:
        class Own(forms.ClearableFileInput):
            template_name = "own.html"

        made = direct_widget(Own)
        assert made.template_name == "own.html"
        assert issubclass(made, Own)
        assert direct_widget(None) is DirectFileInput
        assert direct_widget(DirectFileInput) is DirectFileInput
        assert direct_widget(forms.HiddenInput) is forms.HiddenInput
        instance = direct_widget(Own(attrs={"class": "x"}))
        assert instance.attrs == {"class": "x"}

    def test_does_not_share_what_was_submitted_with_another_form(self, store: Any) -> None:
        widget = DirectFileInput("uploads_tests.Film.video")
        before = copy.deepcopy(widget)
        widget.value_from_datadict(posted(**{"a-upload": "token"}), {}, "a")
        assert not before._submitted
        assert copy.deepcopy(before)._submitted == {}

    def test_asks_the_ledger_once_for_a_form(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
        django_assert_max_num_queries: Any,
    ) -> None:
        token = browser.upload(film(), field="attachments")
        request = request_of(browser)
        assert request.session.session_key  # and what it holds was read
        assert "nothing" not in request.session
        with use_request(request), django_assert_max_num_queries(2):
            form = AttachmentForm(posted(**{"attachment-upload": token}))
            assert form.is_valid()
            assert form.has_changed()
            assert form["attachment"].data is form.cleaned_data["attachment"]
            str(form)

    def test_is_omitted_only_without_a_token(self) -> None:
        for widget in (DirectFileInput("attachments"), MultipleDirectFileInput("attachments")):
            assert widget.value_omitted_from_data(posted(), {}, "a")
            assert not widget.value_omitted_from_data(posted(**{"a-upload": "x"}), {}, "a")


class TestTheFile:
    def test_is_read_like_any_other(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
    ) -> None:
        content = film(200_000, b"x")
        token = browser.upload(content, field="attachments")
        file = DirectUploadFile(token, "attachments", request_of(browser))
        assert (file.name, file.size, file.content_type) == ("film.mp4", 200_000, "video/mp4")
        assert file.closed
        assert file.read(10) == content[:10]
        assert not file.closed
        assert b"".join(file.chunks()) == content
        with file.open() as again:
            assert not file.closed  # as those who look before they read expect
            assert again.read() == content
        assert file.closed
        assert bool(file)
        assert token not in repr(file)

    def test_passes_djangos_own_field_of_images(
        self, browser: Any, store: Any, request_of: Any
    ) -> None:
        class Form(forms.Form):
            image = forms.ImageField(widget=DirectFileInput("attachments"))

        token = browser.upload(picture(), "a.png", "attachments")
        with use_request(request_of(browser)):
            form = Form(posted(**{"image-upload": token}))
            assert form.is_valid(), form.errors
        file = form.cleaned_data["image"]
        assert (file.content_type, file.image.size) == ("image/png", (40, 30))

    def test_can_be_saved_elsewhere(
        self,
        browser: Any,
        store: Any,
        request_of: Any,
        disk: Any,
    ) -> None:
        content = film()
        token = browser.upload(content, field="attachments")
        file = DirectUploadFile(token, "attachments", request_of(browser))
        other = disk("other")
        with other.open(other.save("a.mp4", file)) as saved:
            assert saved.read() == content


def test_a_request_is_known_within_its_block_only(rf: Any) -> None:
    request = rf.get("/")
    assert current_request() is None
    with use_request(request):
        assert current_request() is request
    assert current_request() is None
    assert not DirectUpload.objects.exists()
