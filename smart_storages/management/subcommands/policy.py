"""``manage.py buckets policy``: the policies that the configuration needs, as JSON or Terraform."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, Dict, List, NamedTuple

from django.core.management.base import CommandError

from smart_storages.management.creating import Wishes, needed_actions
from smart_storages.management.output import Context
from smart_storages.management.places import Place, find_places, find_sound_places
from smart_storages.management.policies import (
    bucket_policy,
    cors_rules,
    document,
    iam_policy,
    lifecycle_rules,
)
from smart_storages.management.statements import bucket_arn, statement
from smart_storages.management.subcommands import FINE, USAGE
from smart_storages.management.terraform import terraform

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Print the policies that the configuration needs, with no right more."


class _Document(NamedTuple):
    label: str
    modules: List[str]
    document: Dict[str, Any]


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the modules, and which policy is meant."""
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="Modules; all if none.")
    kind = parser.add_mutually_exclusive_group()
    for name, text in (
        ("bucket", "The policy of each bucket: what anybody may read, and only encrypted."),
        ("create", "What 'buckets create' may do, for the role of whoever deploys."),
        ("cors", "The CORS rules for the pages of --origin."),
        ("lifecycle", "The rule that removes uploads that were never finished."),
        ("terraform", "All of these as Terraform, for the provider hashicorp/aws."),
    ):
        kind.add_argument(
            f"--{name}", dest="kind", action="store_const", const=name, default="iam", help=text
        )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        help="Origin of pages that upload straight to the bucket, https://www.example.com. May be "
        "repeated.",
    )
    parser.add_argument(
        "--strict-list",
        action="store_true",
        help="Allow to list inside the location only. A missing file is then answered as a "
        "forbidden one, so that exists() raises an error.",
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Print the documents; with several, the standard error says what each is for."""
    places = _in_s3(find_sound_places(options["modules"]), context)
    kind, origins = options["kind"], options["origin"]
    if kind == "cors" and not origins:
        raise CommandError("--cors needs an --origin https://www.example.com.", returncode=USAGE)
    if kind == "terraform":
        policies = {each.label: each.document for each in _iam(places, options["strict_list"])}
        context.stdout.write(terraform(policies, _whole(places, context), origins))
        return FINE
    documents = {
        "iam": lambda: _iam(places, options["strict_list"]),
        "create": lambda: _creating(places, origins),
        "bucket": lambda: _of_buckets(_whole(places, context), bucket_policy),
        "cors": lambda: _of_buckets(_by_bucket(places), lambda _: cors_rules(origins)),
        "lifecycle": lambda: _of_buckets(_by_bucket(places), lambda _: lifecycle_rules()),
    }[kind]()
    if context.json:
        context.write_json([each._asdict() for each in documents])
        return FINE
    for each in documents:
        if len(documents) > 1:
            context.warn(f"{each.label}, for {', '.join(each.modules)}:")
        context.stdout.write(json.dumps(each.document, indent=2))
    return FINE


def _in_s3(places: List[Place], context: Context) -> List[Place]:
    for place in places:
        if not place.storage.is_in_s3:
            context.warn(
                f"{place.module}: its backend is {place.server}, and only S3 has policies."
            )
    return [place for place in places if place.storage.is_in_s3]


def _iam(places: List[Place], strict_list: bool) -> List[_Document]:
    groups: Dict[str, List[Place]] = {}
    for place in places:
        # Who has the credentials of one module should not have the rights of another.
        groups.setdefault(place.storage.credentials_identity, []).append(place)
    return [
        _Document(
            "-".join(["smart-storages", *(place.module for place in group[:3])]),
            [place.module for place in group],
            iam_policy(group, strict_list=strict_list),
        )
        for group in groups.values()
    ]


def _creating(places: List[Place], origins: List[str]) -> List[_Document]:
    buckets = _with_neighbours(_group(places))  # as 'buckets create' does
    statements = [
        statement(needed_actions(group, Wishes(origins)), bucket_arn(group[0]))
        for group in buckets.values()
    ]
    modules = [place.module for group in buckets.values() for place in group]
    return [_Document("smart-storages-create", modules, document(statements))]


def _by_bucket(places: List[Place]) -> Dict[str, List[Place]]:
    # Of a pattern there are as many buckets as modules.
    return _group([place for place in places if "*" not in str(place.bucket)])


def _whole(places: List[Place], context: Context) -> Dict[str, List[Place]]:
    """Return buckets with all modules: a policy replaces the one that the bucket has."""
    buckets = _by_bucket(places)
    asked = {place.module for place in places}
    for bucket, group in _with_neighbours(buckets).items():
        for place in group:
            if place.module not in asked:
                context.warn(f"{place.module}: included, since it shares the bucket {bucket}.")
    return buckets


def _group(places: List[Place]) -> Dict[str, List[Place]]:
    buckets: Dict[str, List[Place]] = {}
    for place in places:
        buckets.setdefault(str(place.bucket), []).append(place)
    return buckets


def _with_neighbours(buckets: Dict[str, List[Place]]) -> Dict[str, List[Place]]:
    for place in find_places():
        group = buckets.get(str(place.bucket), [])
        is_sound = place.problem is None and place.storage.is_in_s3
        is_new = all(place.module != each.module for each in group)
        if group and is_new and is_sound and place.server == group[0].server:
            group.append(place)
    return buckets


def _of_buckets(buckets: Dict[str, List[Place]], make: Any) -> List[_Document]:
    return [
        _Document(bucket, [place.module for place in group], make(group))
        for bucket, group in buckets.items()
    ]
