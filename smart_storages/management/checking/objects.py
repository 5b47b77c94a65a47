"""Steps with signed requests: what the storage itself does with files."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, Optional

from botocore.exceptions import ClientError

from smart_storages.management.checking.advice import (
    allow,
    credentials_fault,
    fault_of,
    option,
    region_fault,
)
from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.checking.probe import (
    BODY,
    DENIED,
    ERRORS,
    UNKNOWN,
    Probe,
    code_of,
    put,
    require_writing,
)
from smart_storages.management.explaining import mask

__all__ = [
    "check_bucket",
    "check_credentials",
    "check_delete",
    "check_get",
    "check_head",
    "check_list",
    "check_put",
    "check_range",
    "check_region",
]

#: The name of a file that nobody has.
_NOBODYS = "smart-storages-check-nobodys.txt"


def check_credentials(probe: Probe) -> str:
    """The server knows the keys."""
    _ = probe.client  # without keys there is none
    fault = credentials_fault(probe, probe.listing_error)
    if fault is not None:
        raise fault
    return "accepted"


def check_bucket(probe: Probe) -> str:
    """The bucket exists."""
    error = probe.listing_error
    if error is not None:
        _, code = code_of(error)
        if code in ("NoSuchBucket", "404", "NoSuchKey"):
            raise fault_of(probe, error, f"The bucket {probe.bucket!r} does not exist.")
        if not isinstance(error, ClientError) or code in ("SlowDown", "ServiceUnavailable"):
            raise fault_of(probe, error, "The server does not answer signed requests.")
    return f"{probe.bucket} exists"


def check_region(probe: Probe) -> str:
    """The bucket is in the region for which requests are signed."""
    error = probe.listing_error
    if error is not None:
        fault = fault_of(probe, error, "The bucket is not in that region.")
        if fault.step == "region":
            raise fault
    region = probe.stranger.headers.get("x-amz-bucket-region")
    asked = probe.client.meta.region_name
    if not region:
        raise NotApplicableError("the server does not tell the region")
    if region != asked:
        answer: Any = {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": region}}}
        raise region_fault(probe, ClientError(answer, "ListObjectsV2"))
    return str(region)


def check_list(probe: Probe) -> str:
    """The location can be listed; without, a missing file is answered as a forbidden one."""
    if probe.listing_error is not None:
        raise fault_of(probe, probe.listing_error, "Files cannot be listed.", "s3:ListBucket")
    _require_answer_of_missing(probe)
    return f"{probe.place.location or 'the whole bucket'} can be listed"


def _require_answer_of_missing(probe: Probe) -> None:
    try:
        probe.client.head_object(Bucket=probe.bucket, Key=probe.storage.get_key(_NOBODYS))
    except ERRORS as error:
        status, _ = code_of(error)
        if status == 403:  # noqa: PLR2004 - Forbidden
            raise FaultError(
                "A missing file is answered as a forbidden one: exists() raises an error.",
                "Listing is allowed with a prefix, and a request for one file has none.",
                allow(probe, "s3:ListBucket"),
                serious=False,
            ) from None


def check_put(probe: Probe) -> str:
    """A file can be saved with the parameters of the module."""
    require_writing(probe)
    parameters = probe.parameters(probe.name())
    try:
        probe.put_answer = put(probe, parameters)
    except ERRORS as error:
        raise _why_not_saved(probe, error, parameters) from error
    return "saved"


def _why_not_saved(probe: Probe, error: BaseException, parameters: Dict[str, Any]) -> FaultError:
    _, code = code_of(error)
    acl = parameters.get("ACL")
    if acl and code in (*DENIED, *UNKNOWN):
        without = {name: value for name, value in parameters.items() if name != "ACL"}
        try:
            probe.put_answer = put(probe, without)
        except ERRORS:
            return fault_of(probe, error, "A file cannot be saved.", "s3:PutObject")
        if code in UNKNOWN:
            probe.seen["acls"] = False
            return FaultError(
                f"A file cannot be saved with the ACL {acl!r}.",
                "The server does not know ACLs.",
                option(probe, "default_acl", None),
            )
        why = "The credentials do not allow s3:PutObjectAcl, or public ACLs are blocked."
        fix = f"{allow(probe, 's3:PutObjectAcl')}. Or {option(probe, 'default_acl', None)}, with "
        fix += f"the bucket policy of: manage.py buckets policy {probe.place.module}."
        return FaultError(f"A file cannot be saved with the ACL {acl!r}.", why, fix)
    return _blame_parameter(probe, error, parameters) or fault_of(
        probe, error, "A file cannot be saved.", "s3:PutObject"
    )


def _blame_parameter(
    probe: Probe, error: BaseException, parameters: Dict[str, Any]
) -> Optional[FaultError]:
    """Return the fault of the one parameter without which a file can be saved, if there is one."""
    status, code = code_of(error)
    if not 400 <= status < 500 or code in DENIED:  # noqa: PLR2004 - the request's fault
        return None
    for name in sorted({*parameters} - {"ContentType", "ACL"}):
        without = {key: value for key, value in parameters.items() if not key.startswith(name)}
        try:
            probe.put_answer = put(probe, without)
        except ERRORS:
            continue
        return FaultError(
            f"A file cannot be saved with {name}={mask(parameters[name])!r}.",
            f"The server answered {status} {code}, and accepts the file without it.",
            f"Correct {name} in object_parameters, or leave it out.",
        )
    return None


def check_get(probe: Probe) -> str:
    """A file is read back as it was saved."""
    key = probe.sample
    try:
        body = probe.client.get_object(Bucket=probe.bucket, Key=key)["Body"].read()
    except ERRORS as error:
        raise fault_of(probe, error, "A file cannot be read.", "s3:GetObject") from error
    if probe.wrote and body != BODY:
        raise FaultError(
            "A file is read back with other content than it was saved with.",
            f"{len(body)} bytes came back for {len(BODY)}, or some of them are others.",
            "Something between here and the server changes content: a proxy, a cache, a gateway.",
        )
    return f"{len(body)} bytes"


def check_range(probe: Probe) -> str:
    """A part of a file can be read alone."""
    try:
        answer = probe.client.get_object(Bucket=probe.bucket, Key=probe.sample, Range="bytes=2-5")
        body = answer["Body"].read()
    except ERRORS as error:
        raise fault_of(probe, error, "A part of a file cannot be read.", "s3:GetObject") from error
    if "ContentRange" not in answer or (probe.wrote and body != BODY[2:6]):
        raise FaultError(
            "A request for a part of a file is answered with something else.",
            "Ranges are ignored, so that a seek() reads the whole file.",
            "Let what stands before the server pass the Range header on: a proxy, a cache, a CDN.",
        )
    return "bytes 2 to 5"


def check_head(probe: Probe) -> str:
    """Size, type and ETag of a file can be asked for."""
    try:
        answer = probe.client.head_object(Bucket=probe.bucket, Key=probe.sample)
    except ERRORS as error:
        raise fault_of(
            probe, error, "Size and time of a file cannot be asked for.", "s3:GetObject"
        ) from error
    if probe.wrote:
        if answer.get("ContentLength") != len(BODY):
            raise FaultError(
                f"The size of a file is told as {answer.get('ContentLength')}, not {len(BODY)}.",
                "Something between here and the server changes answers.",
                "Check a proxy, cache or gateway before the server.",
            )
        digest = hashlib.md5(BODY).hexdigest()  # noqa: S324 - what S3 calls an ETag
        probe.seen["md5_etags"] = answer["ETag"].strip('"') == digest
    return f"{answer.get('ContentLength')} bytes, {answer.get('ContentType')}"


def check_delete(probe: Probe) -> str:
    """A file can be deleted, and is gone."""
    require_writing(probe)
    try:
        probe.client.delete_object(Bucket=probe.bucket, Key=probe.key())
    except ERRORS as error:
        raise fault_of(probe, error, "A file cannot be deleted.", "s3:DeleteObject") from error
    try:
        probe.client.get_object(Bucket=probe.bucket, Key=probe.key())["Body"].read()
    except ERRORS:
        return "deleted"
    raise FaultError(
        "A file that was deleted can still be read.",
        "A cache before the server answers for it, or the server is not consistent.",
        "Read from the server itself: correct endpoint_url.",
    )
