"""Steps on what a provider's row promises: conditions, checksums, ACLs, deleting many at once."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any, Dict

from smart_storages.backends.s3.bulk import delete_many
from smart_storages.exceptions import S3Error
from smart_storages.management.checking.advice import allow, fault_of
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

__all__ = [
    "check_acls",
    "check_bulk_delete",
    "check_checksums",
    "check_condition",
    "check_multipart",
]

_WRONG_CRC32 = "AAAAAA=="


def check_condition(probe: Probe) -> str:
    """``If-None-Match: *`` keeps a save from overwriting a file."""
    try:
        put(probe, probe.parameters(probe.name()), IfNoneMatch="*")
    except ERRORS as error:
        status, code = code_of(error)
        if status not in (409, 412) and code not in (*UNKNOWN, "InvalidArgument"):
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
    except ERRORS as error:
        status, code = code_of(error)
        if status not in (409, 412) and code not in (*UNKNOWN, "InvalidArgument"):
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
    except ERRORS as error:
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
    except ERRORS as error:
        raise fault_of(
            probe, error, "An upload in parts cannot be completed.", "s3:PutObject"
        ) from error


def _give_up(probe: Probe, suffix: str) -> None:
    key, upload = _start(probe, suffix)
    try:
        probe.client.abort_multipart_upload(Bucket=probe.bucket, Key=key, UploadId=upload)
    except ERRORS as error:
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
        put(probe, parameters, "-sum", **wrong)
    except ERRORS as error:
        status, _ = code_of(error)
        return 400 <= status < 500  # noqa: PLR2004 - the client's fault, as it is
    return False


def check_acls(probe: Probe) -> str:
    """ACLs are known to the server, if the module uses one."""
    require_writing(probe)
    acl = probe.parameters(probe.name()).get("ACL", "private")
    try:
        probe.client.put_object_acl(Bucket=probe.bucket, Key=probe.key(), ACL=acl)
    except ERRORS as error:
        status, code = code_of(error)
        if code in (*UNKNOWN, "AccessControlListNotSupported"):
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
        provider=target.provider._replace(bulk_delete=True),
    )
    error = next(iter(delete_many(able, [probe.key("-sum")]).values()), None)
    if error is not None:
        _raise_for_bulk(probe, error)
        return "not supported, as the provider's row says"
    probe.seen["bulk_delete"] = True
    return "supported"


def _raise_for_bulk(probe: Probe, error: S3Error) -> None:
    if error.code in DENIED:
        why = "The credentials, or the bucket policy, do not allow s3:DeleteObject."
        raise FaultError("Files cannot be deleted.", why, allow(probe, "s3:DeleteObject"))
    probe.seen["bulk_delete"] = False
    if probe.storage.s3_provider.bulk_delete:
        raise FaultError(
            "Many files cannot be deleted with one request.",
            f"The server answered {error.status} {error.code}.",
            "Name the provider that the last line of this check gives.",
        )
