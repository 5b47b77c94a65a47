"""The effective configuration of every module."""

from __future__ import annotations

from django.conf import settings
from django.views.generic import TemplateView

from newsroom.models import Tenant
from smart_storages.config import get_bucket_config, get_default_bucket_config
from smart_storages.storages import SmartS3Storage
from smart_storages.utils import get_storage

CREDENTIALS = {"access_key", "secret_key", "security_token"}
# Options that a storage class may preset; they are read from the storage, not from the setting.
PRESET = {"default_acl", "file_overwrite", "location", "querystring_auth", "querystring_expire"}


class BucketsPage(TemplateView):
    template_name = "newsroom/buckets.html"

    def get_context_data(self, **kwargs):
        modules = [describe(name, key) for name, key in configured_modules()]
        return super().get_context_data(
            modules=modules,
            bucket_count=len({module["bucket"] for module in modules}),
            environment=settings.ENVIRONMENT,
            endpoint=where_files_are(),
            **kwargs,
        )


def where_files_are():
    elsewhere = {"local": "SMART_STORAGE_LOCAL", "memory": "memory", "azure": "Azure"}
    return elsewhere.get(settings.BACKEND, settings.AWS_S3_ENDPOINT_URL or "Amazon S3")


def configured_modules():
    """Yield pairs of a module's name and its key in the setting; a pattern once per tenant."""
    for key in settings.SMART_STORAGE_BUCKETS:
        if key == "tenant_*":
            for slug in Tenant.objects.values_list("slug", flat=True):
                if f"tenant_{slug}" not in settings.SMART_STORAGE_BUCKETS:
                    yield f"tenant_{slug}", key
        else:
            yield key, key


def show(option, value):
    if option in CREDENTIALS:
        return "***"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)


def describe(name, key):
    storage = get_storage(name)
    own = settings.SMART_STORAGE_BUCKETS[key]
    config = get_bucket_config(name)
    config.update({option: getattr(storage, option) for option in PRESET})
    # A storage without a module has only the values of the AWS_* settings.
    plain = SmartS3Storage()
    defaults = get_default_bucket_config()
    defaults.update({option: getattr(plain, option) for option in PRESET})
    options = []
    for option, value in sorted(config.items()):
        if value is None or value == "":
            continue
        source = "class"
        if option in own:
            source = "module"
        elif value == defaults.get(option):
            source = "default"
        elif option == "querystring_auth":
            source = "implied"  # public files need no signature
        options.append({"name": option, "value": show(option, value), "source": source})
    return {
        "name": name,
        "pattern": key if key != name else "",
        "bucket": storage.bucket_name,
        "public": storage.default_acl == "public-read",
        "options": options,
    }
