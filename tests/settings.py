"""Django settings of the test suite; a test overrides what else it needs."""

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["smart_storages", "smart_storages.queued", "tests.queued"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
