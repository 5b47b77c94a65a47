"""``manage.py create_buckets``: makes every bucket that SMART_STORAGE_BUCKETS names."""

from __future__ import annotations

import os
from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from smart_storages.management.policies import cors_rules
from smart_storages.utils import get_storage

# Error codes of servers that have only one region, whatever its name.
NO_SUCH_REGION = {"InvalidLocationConstraint", "IllegalLocationConstraintException"}


class Command(BaseCommand):
    help = "Creates the buckets of SMART_STORAGE_BUCKETS; those that exist are left alone."

    def handle(self, *args, **options):
        done = set()
        for module in settings.SMART_STORAGE_BUCKETS:
            # A pattern's bucket is the same for all names, so any name gives it.
            storage = get_storage(module.replace("*", "any"))
            bucket = storage.bucket_name
            if bucket in done:
                continue
            done.add(bucket)
            if not storage.is_in_s3:
                if storage.backend == "azure":
                    ensure_container(bucket, public=storage.default_acl == "public-read")
                elif storage.backend == "gcs":
                    ensure_bucket_of_google(bucket)
                continue  # a folder is made with its first file
            try:
                made = ensure_bucket(storage.client, bucket, storage.region_name)
            except (BotoCoreError, ClientError) as error:
                raise CommandError(
                    f"Cannot create the bucket {bucket!r} of module {module!r}. {explain(error)}"
                ) from error
            if options["verbosity"]:
                self.stdout.write(f"{bucket}: {'created' if made else 'exists'}")


def explain(error):
    """Return the error of S3, which may be only a code, and what to try."""
    if not isinstance(error, ClientError):
        return f"{error} Check S3_ENDPOINT_URL."
    code = error.response["Error"].get("Code")
    return (
        f"The server answered {code!r}. Check the keys; if the name is wrong or belongs to "
        "somebody else, set PRESS_BUCKET_PREFIX."
    )


def ensure_container(name, *, public):
    """Create a container of Azure unless it exists."""
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    service = BlobServiceClient.from_connection_string(settings.AZURE_CONNECTION_STRING)
    with suppress(ResourceExistsError):
        service.create_container(name, public_access="blob" if public else None)


def ensure_bucket_of_google(name):
    """Create a bucket of Google Cloud Storage unless it exists."""
    import google.auth
    from google.auth.transport.requests import AuthorizedSession

    if hasattr(settings, "GS_CREDENTIALS"):
        credentials = import_string(settings.GS_CREDENTIALS)()
    else:
        credentials, _ = google.auth.default(
            scopes=["https://www.googleapis.com/auth/devstorage.full_control"]
        )
    endpoint = os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
    answer = AuthorizedSession(credentials).post(
        f"{endpoint}/storage/v1/b",
        params={"project": settings.GS_PROJECT_ID},
        # This site's public files are public by ACL.
        json={
            "name": name,
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}},
        },
    )
    if answer.status_code not in {200, 409}:  # 409: it exists
        raise CommandError(f"Cannot create the bucket {name!r}: status {answer.status_code}.")


def ensure_bucket(client, bucket, region):
    """Create ``bucket`` unless it exists; return whether it was created."""
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    else:
        return False
    # AWS creates a bucket in us-east-1 only when no region is asked for.
    place = {} if region in (None, "us-east-1") else {"LocationConstraint": region}
    arguments = {"Bucket": bucket}
    if not settings.AWS_S3_ENDPOINT_URL:
        # AWS disables ACLs in new buckets; this site's public files are public by ACL.
        arguments["ObjectOwnership"] = "ObjectWriter"
    try:
        if place:
            client.create_bucket(CreateBucketConfiguration=place, **arguments)
        else:
            client.create_bucket(**arguments)
    except ClientError as error:
        if not place or error.response["Error"]["Code"] not in NO_SUCH_REGION:
            raise
        client.create_bucket(**arguments)
    if not settings.AWS_S3_ENDPOINT_URL:
        client.delete_public_access_block(Bucket=bucket)
    # Else browsers send no video from a page of the site, and run no module of the static bucket.
    allowed = cors_rules(settings.ORIGINS)
    for rule in allowed["CORSRules"]:
        rule["AllowedHeaders"].append("x-amz-content-sha256")  # moto reads x-amz-* to the letter
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration=allowed)
    return True
