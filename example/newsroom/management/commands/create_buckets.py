"""``manage.py create_buckets``: makes every bucket that SMART_STORAGE_BUCKETS names."""

from __future__ import annotations

import io

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command

from smart_storages.management.policies import cors_rules
from smart_storages.utils import get_storage

# Error codes of servers that have only one region, whatever its name.
NO_SUCH_REGION = {"InvalidLocationConstraint", "IllegalLocationConstraintException"}


class Command(BaseCommand):
    help = "Creates the buckets of SMART_STORAGE_BUCKETS; those that exist are left alone."

    def handle(self, *args, **options):
        done, elsewhere = set(), []
        for module in settings.SMART_STORAGE_BUCKETS:
            # A pattern's bucket is the same for all names, so any name gives it.
            storage = get_storage(module.replace("*", "any"))
            if not storage.is_in_s3:
                elsewhere.append(module)
                continue
            bucket = storage.bucket_name
            if bucket in done:
                continue
            done.add(bucket)
            try:
                made = ensure_bucket(storage.client, bucket, storage.region_name)
            except (BotoCoreError, ClientError) as error:
                raise CommandError(
                    f"Cannot create the bucket {bucket!r} of module {module!r}. {explain(error)}"
                ) from error
            if options["verbosity"]:
                self.stdout.write(f"{bucket}: {'created' if made else 'exists'}")
        if elsewhere:
            create_elsewhere(elsewhere, self.stdout if options["verbosity"] else io.StringIO())


def explain(error):
    """Return the error of S3, which may be only a code, and what to try."""
    if not isinstance(error, ClientError):
        return f"{error} Check S3_ENDPOINT_URL."
    code = error.response["Error"].get("Code")
    return (
        f"The server answered {code!r}. Check the keys; if the name is wrong or belongs to "
        "somebody else, set PRESS_BUCKET_PREFIX."
    )


def create_elsewhere(modules, stdout):
    """Make what modules outside of S3 need: containers, buckets of Google, folders."""
    said = io.StringIO()
    try:
        call_command("buckets", "create", *modules, stdout=said, stderr=said)
    except SystemExit as error:
        raise CommandError(f"Cannot create the buckets.\n{said.getvalue()}") from error
    stdout.write(said.getvalue())


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
