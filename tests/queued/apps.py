from django.apps import AppConfig


class TestsConfig(AppConfig):
    name = "tests.queued"
    label = "queued_tests"
    default_auto_field = "django.db.models.BigAutoField"
