"""From an error of S3 to what is wrong, why, and what mends it."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional, Tuple

from botocore.exceptions import ClientError

from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.common.documentation import plain_text
from smart_storages.management.checking.findings import FaultError
from smart_storages.management.checking.probe import DENIED, Probe, code_of
from smart_storages.management.policies import list_statement
from smart_storages.management.statements import objects_arn, one_line, statement

__all__ = ["allow", "credentials_fault", "fault_of", "option", "region_fault", "role_denied"]

#: Codes that say that the keys are wrong, whatever was asked for.
_KEYS: Dict[str, Tuple[str, str]] = {
    "InvalidAccessKeyId": (
        "The server knows no such access key.",
        (
            "Set access_key and secret_key of a key that exists at this endpoint; 'manage.py "
            "buckets explain {module}' shows where they come from."
        ),
    ),
    "SignatureDoesNotMatch": (
        (
            "The signature is wrong: the secret key is not that of this access key, or something "
            "between here and the server changes the Host header or the path."
        ),
        "Correct secret_key; 'manage.py buckets explain {module}' shows where it comes from.",
    ),
    "ExpiredToken": (
        "The session token has expired.",
        "Give keys that renew themselves: role_arn, session_profile or credentials.",
    ),
    "InvalidToken": (
        "The session token does not belong to this access key.",
        "Correct security_token, or leave it out if the key is a permanent one.",
    ),
    "RequestTimeTooSkewed": (
        "The clocks of this machine and of the server are too far apart.",
        "Set the clock of this machine, and keep it by NTP: timedatectl set-ntp true.",
    ),
    "UserSuspended": (
        "The user of this access key is suspended.",
        "Enable the user, or use the keys of another one.",
    ),
}
_KEYS["InvalidClientTokenId"] = _KEYS["InvalidAccessKeyId"]
_KEYS["TokenRefreshRequired"] = _KEYS["ExpiredToken"]
_KEYS["RequestExpired"] = _KEYS["RequestTimeTooSkewed"]

#: Codes of a bucket in another region.
_REGION = (
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
)
_MOVED = (301, 307)

_expected_region = re.compile(r"expecting '([\w-]+)'").search

#: Codes that say more than their name does.
_KNOWN: Dict[str, Tuple[str, str]] = {
    "NoSuchBucket": (
        "There is no bucket {bucket!r} at {server}.",
        (
            "Create it: manage.py buckets create {module}. Or correct bucket_name, region_name or "
            "endpoint_url."
        ),
    ),
    "AccessControlListNotSupported": (
        "The bucket has ACLs disabled, as new buckets of AWS have, and the module sends one.",
        (
            "Set 'default_acl': None, and let a bucket policy allow reading: manage.py buckets "
            "policy {module}."
        ),
    ),
    "InvalidStorageClass": (
        "The server has no such storage class.",
        "Correct StorageClass in object_parameters.",
    ),
    "QuotaExceeded": (
        "The quota of the bucket or of its user is used up.",
        (
            "Raise the quota, or delete files: 'manage.py buckets usage {module}' shows what takes "
            "up the space."
        ),
    ),
    "SlowDown": (
        "The server asks to slow down, also after another try.",
        "Try again later; if it stays, ask whoever runs the server for the limit.",
    ),
    "NotImplemented": (
        (
            "The server does not know something that the module sends: an ACL, encryption, a "
            "storage class, or the checksums that boto3 adds since 1.36."
        ),
        (
            "Name the server: 'provider', see docs/providers.md. Then leave out of "
            "object_parameters what it does not know."
        ),
    ),
}
_KNOWN["ServiceUnavailable"] = _KNOWN["SlowDown"]
_SERVICE_FAILED = 500


def option(probe: Probe, name: str, value: Any) -> str:
    """Return how an option is set for the module: a line of its settings."""
    return f"SMART_STORAGE_BUCKETS[{probe.place.module!r}][{name!r}] = {value!r}"


def allow(probe: Probe, action: str) -> str:
    """Return the smallest statement that allows an action."""
    if action == "s3:ListBucket":
        return f"Allow it: {one_line(list_statement(probe.place))}"
    return f"Allow it: {one_line(statement([action], objects_arn(probe.place)))}"


def fault_of(probe: Probe, error: BaseException, what: str, action: str = "") -> FaultError:
    """Return the fault that an error of a signed request shows.

    Args:
        probe: The check.
        error: The error of botocore.
        what: What did not work, as a sentence.
        action: The action of IAM that the request needs.
    """
    status, code = code_of(error)
    keys = credentials_fault(probe, error)
    if keys is not None:
        return keys
    if code in _REGION or status in _MOVED:
        return region_fault(probe, error)
    if code in DENIED and action:
        why = f"The credentials, or the bucket policy, do not allow {action}."
        return FaultError(what, why, allow(probe, action))
    if code in _KNOWN:
        why, fix = (text.format(**_places(probe)) for text in _KNOWN[code])
        return FaultError(what, why, fix)
    if not isinstance(error, ClientError):
        return FaultError(what, str(translate_error(error, **_translated(probe))))
    said = str(error.response.get("Error", {}).get("Message") or "").strip()
    why = f"The server answered {status} {code}{f': {said}' if said else ''}"
    fix = ""
    if code.startswith("KMS") or "KMS" in code:
        fix = "Correct SSEKMSKeyId in object_parameters, and allow kms:GenerateDataKey and "
        fix += "kms:Decrypt on that key."
    elif status >= _SERVICE_FAILED:
        fix = "Ask whoever runs the server, or what stands before it."
    return FaultError(what, f"{why.rstrip('.')}.", fix)


def credentials_fault(probe: Probe, error: Optional[BaseException]) -> Optional[FaultError]:
    """Return the fault if an error says that the keys are wrong."""
    if error is None:
        return None
    role = role_denied(error)
    if role:
        return _role_fault(probe, role)
    _, code = code_of(error)
    if code not in _KEYS:
        return None
    why, fix = (text.format(**_places(probe)) for text in _KEYS[code])
    return FaultError("The server refuses the credentials.", why, fix, step="credentials")


def role_denied(error: BaseException) -> str:
    """Return what the error says if it is one of assuming a role, ``""`` otherwise."""
    return plain_text(error) if getattr(error, "operation_name", "") == "AssumeRole" else ""


def _role_fault(probe: Probe, said: str) -> FaultError:
    allowed = one_line(statement(["sts:AssumeRole"], str(probe.place.storage.role_arn)))
    return FaultError(
        "The role of the module cannot be assumed, so that nothing else can be asked.",
        said,
        f"Allow it to the credentials that assume it: {allowed}. And let the trust policy of the "
        "role name them, with the external_id if it asks for one.",
        step="credentials",
    )


def region_fault(probe: Probe, error: BaseException) -> FaultError:
    """Return the fault of a bucket that is in another region."""
    answer: Dict[str, Any] = getattr(error, "response", {})
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = _expected_region(str(answer.get("Error", {}).get("Message") or ""))
    region = headers.get("x-amz-bucket-region") or (said and said.group(1))
    asked = probe.client.meta.region_name
    fix = option(probe, "region_name", region) if region else "Correct region_name."
    return FaultError(
        f"The bucket is not in the region {asked!r}.",
        f"The server says that it is in {region!r}." if region else "The server redirects.",
        fix,
        step="region",
    )


def _places(probe: Probe) -> Dict[str, Any]:
    place = probe.place
    return {"module": place.module, "bucket": probe.bucket, "server": place.server}


def _translated(probe: Probe) -> Dict[str, Any]:
    return {"module": probe.place.module, "bucket": probe.bucket}
