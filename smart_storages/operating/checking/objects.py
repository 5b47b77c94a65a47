"""Steps with signed requests: what the storage itself does with files."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import replace
from typing import Any, Dict, Optional

from botocore.exceptions import BotoCoreError, ClientError

from smart_storages.exceptions import S3Error
from smart_storages.operating.checking.advice import (
    allow,
    credentials_fault,
    fault_of,
    option,
    region_fault,
)
from smart_storages.operating.checking.findings import FaultError, NotApplicableError
from smart_storages.operating.checking.probe import BODY, Probe, code_of, require_writing
from smart_storages.operating.explaining import mask
from smart_storages.s3.bulk import delete_many

__all__ = [
    "check_acls", "check_bucket", "check_bulk_delete", "check_checksums", "check_condition",
    "check_credentials", "check_delete", "check_get", "check_head", "check_list",
    "check_multipart", "check_put", "check_range", "check_region",
]  # fmt: skip

_ERRORS = (BotoCoreError, ClientError)
_DENIED = ("AccessDenied", "AllAccessDisabled", "Forbidden", "403")
_UNKNOWN = ("NotImplemented", "MethodNotAllowed", "501", "405")
#: The name of a file that nobody has.
_NOBODYS = "smart-storages-check-nobodys.txt"
_WRONG_CRC32 = "AAAAAA=="


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
    except _ERRORS as error:
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
        probe.put_answer = _put(probe, parameters)
    except _ERRORS as error:
        raise _why_not_saved(probe, error, parameters) from error
    return "saved"


def _put(probe: Probe, parameters: Dict[str, Any], suffix: str = "", **more: Any) -> Dict[str, Any]:
    answer: Dict[str, Any] = probe.client.put_object(
        Bucket=probe.bucket, Key=probe.key(suffix), Body=BODY, **{**parameters, **more}
    )
    return answer


def _why_not_saved(probe: Probe, error: BaseException, parameters: Dict[str, Any]) -> FaultError:
    _, code = code_of(error)
    acl = parameters.get("ACL")
    if acl and code in (*_DENIED, *_UNKNOWN):
        without = {name: value for name, value in parameters.items() if name != "ACL"}
        try:
            probe.put_answer = _put(probe, without)
        except _ERRORS:
            return fault_of(probe, error, "A file cannot be saved.", "s3:PutObject")
        if code in _UNKNOWN:
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
    if not 400 <= status < 500 or code in _DENIED:  # noqa: PLR2004 - the request's fault
        return None
    for name in sorted({*parameters} - {"ContentType", "ACL"}):
        without = {key: value for key, value in parameters.items() if not key.startswith(name)}
        try:
            probe.put_answer = _put(probe, without)
        except _ERRORS:
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
    except _ERRORS as error:
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
    except _ERRORS as error:
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
    except _ERRORS as error:
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


def check_condition(probe: Probe) -> str:
    """``If-None-Match: *`` keeps a save from overwriting a file."""
    try:
        _put(probe, probe.parameters(probe.name()), IfNoneMatch="*")
    except _ERRORS as error:
        status, code = code_of(error)
        if status not in (409, 412) and code not in (*_UNKNOWN, "InvalidArgument"):
            raise fault_of(probe, error, "A conditional save fails.", "s3:PutObject") from error
        honoured = status in (409, 412)
    else:
        honoured = False
    probe.seen["conditional_put"] = honoured
    return _compare(
        probe, "conditional_put", honoured, "If-None-Match of a save", "two saves of one name "
        "can overwrite each other",
    )  # fmt: skip


def _compare(probe: Probe, feature: str, seen: bool, subject: str, harm: str) -> str:
    row = probe.storage.s3_provider
    if getattr(row, feature) and not seen:
        keeps_versions = "VersionId" in probe.put_answer
        raise FaultError(
            f"{subject} is not honoured: {harm}.",
            f"The provider {row.name!r} honours it, and this server does not"
            f"{' in a bucket that keeps versions' if keeps_versions else ''}.",
            "Name the provider that the last line of this check gives.",
        )
    return "honoured" if seen else "not honoured, as the provider's row says"


def check_multipart(probe: Probe) -> str:
    """A large file can be uploaded in parts, given up, and published once."""
    require_writing(probe)
    _publish_in_parts(probe, "-parts", {})
    key, upload = _start(probe, "-parts")
    try:
        part = _upload_part(probe, key, upload)
        honoured = not _complete(probe, key, upload, part, {"IfNoneMatch": "*"})
    except _ERRORS as error:
        status, code = code_of(error)
        if status not in (409, 412) and code not in (*_UNKNOWN, "InvalidArgument"):
            raise fault_of(
                probe, error, "An upload in parts cannot be completed.", "s3:PutObject"
            ) from error
        honoured = status in (409, 412)
    _give_up(probe, "-parts")
    probe.seen["conditional_complete"] = honoured
    return _compare(
        probe, "conditional_complete", honoured, "If-None-Match of an upload in parts",
        "two saves of one large file can overwrite each other",
    )  # fmt: skip


def _start(probe: Probe, suffix: str) -> Any:
    key = probe.key(suffix)
    parameters = probe.parameters(probe.name(suffix))
    try:
        answer = probe.client.create_multipart_upload(Bucket=probe.bucket, Key=key, **parameters)
    except _ERRORS as error:
        raise fault_of(
            probe, error, "An upload in parts cannot be started.", "s3:PutObject"
        ) from error
    probe.uploads.append((key, answer["UploadId"]))
    return key, answer["UploadId"]


def _upload_part(probe: Probe, key: str, upload: str) -> Dict[str, Any]:
    customer = {
        name: value
        for name, value in probe.parameters(probe.name()).items()
        if name.startswith("SSECustomer")
    }
    answer = probe.client.upload_part(
        Bucket=probe.bucket, Key=key, UploadId=upload, PartNumber=1, Body=BODY, **customer
    )
    return {"PartNumber": 1, "ETag": answer["ETag"]}


def _complete(
    probe: Probe, key: str, upload: str, part: Dict[str, Any], condition: Dict[str, str]
) -> bool:
    probe.client.complete_multipart_upload(
        Bucket=probe.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [part]},
        **condition,
    )  # fmt: skip
    return True


def _publish_in_parts(probe: Probe, suffix: str, condition: Dict[str, str]) -> None:
    key, upload = _start(probe, suffix)
    try:
        _complete(probe, key, upload, _upload_part(probe, key, upload), condition)
    except _ERRORS as error:
        raise fault_of(
            probe, error, "An upload in parts cannot be completed.", "s3:PutObject"
        ) from error


def _give_up(probe: Probe, suffix: str) -> None:
    key, upload = _start(probe, suffix)
    try:
        probe.client.abort_multipart_upload(Bucket=probe.bucket, Key=key, UploadId=upload)
    except _ERRORS as error:
        raise fault_of(
            probe, error, "A failed upload in parts cannot be removed, and costs storage.",
            "s3:AbortMultipartUpload",
        ) from error  # fmt: skip


def check_checksums(probe: Probe) -> str:
    """The server refuses a body that is not what its checksum says."""
    require_writing(probe)
    refused = {
        "crc32": _is_refused(probe, ChecksumCRC32=_WRONG_CRC32),
        "md5": _is_refused(probe, ContentMD5=b64encode(bytes(16)).decode()),
    }
    probe.seen["crc32"] = refused["crc32"]
    row = probe.storage.s3_provider
    if not refused[row.checksum]:
        raise FaultError(
            f"The server accepts a body with a wrong {row.checksum.upper()} checksum.",
            f"The provider {row.name!r} sends that one, so that a file can arrive damaged.",
            "Name the provider that the last line of this check gives.",
        )
    return f"{row.checksum} is verified"


def _is_refused(probe: Probe, **wrong: str) -> bool:
    parameters = probe.parameters(probe.name("-sum"))
    try:
        _put(probe, parameters, "-sum", **wrong)
    except _ERRORS as error:
        status, _ = code_of(error)
        return 400 <= status < 500  # noqa: PLR2004 - the client's fault, as it is
    return False


def check_acls(probe: Probe) -> str:
    """ACLs are known to the server, if the module uses one."""
    require_writing(probe)
    acl = probe.parameters(probe.name()).get("ACL", "private")
    try:
        probe.client.put_object_acl(Bucket=probe.bucket, Key=probe.key(), ACL=acl)
    except _ERRORS as error:
        status, code = code_of(error)
        if code in (*_UNKNOWN, "AccessControlListNotSupported"):
            probe.seen["acls"] = False
            return "not supported, and not used"
        text = f"whether ACLs are supported was answered {status} {code}"
        raise NotApplicableError(text) from None
    probe.seen["acls"] = True
    return "supported"


def check_bulk_delete(probe: Probe) -> str:
    """Many files can be deleted with one request."""
    require_writing(probe)
    target = probe.storage.s3_target(probe.name("-sum"))
    able = replace(
        target,
        get_client=lambda: probe.client,
        provider=replace(target.provider, bulk_delete=True),
    )
    error = next(iter(delete_many(able, [probe.key("-sum")]).values()), None)
    if error is not None:
        _raise_for_bulk(probe, error)
        return "not supported, as the provider's row says"
    probe.seen["bulk_delete"] = True
    return "supported"


def _raise_for_bulk(probe: Probe, error: S3Error) -> None:
    if error.code in _DENIED:
        why = "The credentials, or the bucket policy, do not allow s3:DeleteObject."
        raise FaultError("Files cannot be deleted.", why, allow(probe, "s3:DeleteObject"))
    probe.seen["bulk_delete"] = False
    if probe.storage.s3_provider.bulk_delete:
        raise FaultError(
            "Many files cannot be deleted with one request.",
            f"The server answered {error.status} {error.code}.",
            "Name the provider that the last line of this check gives.",
        )


def check_delete(probe: Probe) -> str:
    """A file can be deleted, and is gone."""
    require_writing(probe)
    try:
        probe.client.delete_object(Bucket=probe.bucket, Key=probe.key())
    except _ERRORS as error:
        raise fault_of(probe, error, "A file cannot be deleted.", "s3:DeleteObject") from error
    try:
        probe.client.get_object(Bucket=probe.bucket, Key=probe.key())["Body"].read()
    except _ERRORS:
        return "deleted"
    raise FaultError(
        "A file that was deleted can still be read.",
        "A cache before the server answers for it, or the server is not consistent.",
        "Read from the server itself: correct endpoint_url.",
    )
