"""Stories: the home page, and a page for each story."""

from __future__ import annotations

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.views.generic import CreateView, UpdateView

from newsroom.forms import ArticleFilesForm, ArticleForm
from newsroom.models import Article, Video
from newsroom.views.pages import UploadMixin
from smart_storages.serve import serve_file


class HomePage(UploadMixin, CreateView):
    form_class = ArticleForm
    template_name = "newsroom/home.html"
    stored_message = "“{}” is filed, and its files are in their buckets."

    def get_context_data(self, **kwargs):
        return super().get_context_data(articles=Article.objects.all()[:20], **kwargs)


class ArticlePage(UploadMixin, UpdateView):
    model = Article
    form_class = ArticleFilesForm
    template_name = "newsroom/article.html"
    stored_message = "The files of “{}” are in their buckets."

    def form_invalid(self, form):
        # The form has already put the refused files on the instance; show the stored ones.
        self.object = self.get_object()
        return super().form_invalid(form)

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            article=self.object,
            attachments=self.object.attachments.all(),
            videos=self.object.videos.all(),
            attachment_limit=settings.ATTACHMENT_LIMIT // 1024,
            **kwargs,
        )


def download_video(request, pk):
    """Answer with a redirect to the bucket, under which a browser saves the file."""
    # A real site checks here whether this visitor may have it.
    video = get_object_or_404(Video, pk=pk)
    return serve_file(request, video.file, download=True, expire=300)
