"""Policies as Terraform, for the provider ``hashicorp/aws``."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Sequence

from smart_storages.management.places import Place
from smart_storages.management.policies import (
    ABORT_AFTER_DAYS,
    bucket_policy,
    cors_rules,
    public_access_block,
)

__all__ = ["terraform"]


def terraform(
    policies: Dict[str, Dict[str, Any]],
    buckets: Dict[str, List[Place]],
    origins: Sequence[str] = (),
) -> str:
    """Return the policies as resources, one of each kind for each bucket.

    Args:
        policies: IAM policies by a label.
        buckets: The modules of each bucket, by its name.
        origins: Origins of pages that upload straight to the buckets.
    """
    blocks = [
        _resource("aws_iam_policy", label, f'  name   = "{_label(label)}"', _policy(policy))
        for label, policy in policies.items()
    ]
    for bucket, places in buckets.items():
        blocks += _blocks_of(bucket, places, origins)
    return "\n\n".join(blocks)


def _blocks_of(bucket: str, places: List[Place], origins: Sequence[str]) -> Iterator[str]:
    name = f"  bucket = {_text(bucket)}"
    policy = bucket_policy(places)
    if policy["Statement"]:
        yield _resource("aws_s3_bucket_policy", bucket, name, _policy(policy))
    flags = public_access_block(places)
    lines = [f"  {_snake(flag)} = {str(value).lower()}" for flag, value in flags.items()]
    yield _resource("aws_s3_bucket_public_access_block", bucket, name, *lines)
    yield _resource(
        "aws_s3_bucket_lifecycle_configuration",
        bucket,
        name,
        "  rule {",
        '    id     = "abort-incomplete-uploads"',
        '    status = "Enabled"',
        "    filter {}",
        "    abort_incomplete_multipart_upload {",
        f"      days_after_initiation = {ABORT_AFTER_DAYS}",
        "    }",
        "  }",
    )
    if origins:
        yield _resource("aws_s3_bucket_cors_configuration", bucket, name, *_cors(origins))


def _cors(origins: Sequence[str]) -> List[str]:
    (rule,) = cors_rules(origins)["CORSRules"]
    return [
        "  cors_rule {",
        *(f"    {_snake(name)} = {_value(value)}" for name, value in rule.items()),
        "  }",
    ]


def _resource(kind: str, label: str, *lines: str) -> str:
    return "\n".join([f'resource "{kind}" "{_label(label)}" {{', *lines, "}"])


def _policy(policy: Dict[str, Any]) -> str:
    text = _value(policy, indent=2).replace("\n", "\n  ")
    return f"  policy = jsonencode({text})"


def _label(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _text(text: str) -> str:
    return _value(text)


def _value(value: Any, indent: Any = None) -> str:
    # JSON is an expression of HCL, save for what begins a template there.
    return json.dumps(value, indent=indent).replace("${", "$${").replace("%{", "%%{")
