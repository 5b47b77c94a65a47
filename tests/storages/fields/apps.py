from django.apps import AppConfig


class TestsConfig(AppConfig):
    name = "tests.storages.fields"
    label = "fields_tests"
    default_auto_field = "django.db.models.BigAutoField"
