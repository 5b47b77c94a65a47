"""Steps without credentials: signed URLs as a browser sends them, and what anybody may do."""

from __future__ import annotations

from typing import Any, Dict
from urllib.parse import quote, urlsplit

from urllib3.exceptions import HTTPError

from smart_storages.management.checking.findings import FaultError, NotApplicableError
from smart_storages.management.checking.probe import BODY, Answer, Probe, require_writing
from smart_storages.management.places import CDN, PRIVATE, PUBLIC
from smart_storages.management.statements import bucket_arn, objects_arn, one_line, statement

__all__ = [
    "check_cors",
    "check_signed_upload",
    "check_signed_url",
    "check_strangers_listing",
    "check_strangers_reading",
    "check_strangers_writing",
]

_DONE = (200, 201, 204)
_BROWSER = {"User-Agent": "Mozilla/5.0 (buckets check)", "Accept": "*/*"}


def _ask(probe: Probe, method: str, url: str, what: str, **more: Any) -> Answer:
    headers = {**_BROWSER, **more.pop("headers", {})}
    try:
        return probe.ask(method, url, headers, **more)
    except HTTPError as error:
        host = urlsplit(url).netloc
        raise FaultError(
            what,
            f"{host} does not answer a browser: {type(error).__name__}.",
            _fix_of_host(probe, host),
        ) from None


def _fix_of_host(probe: Probe, host: str) -> str:
    for name in ("custom_domain", "public_endpoint_url"):
        value = getattr(probe.storage, name)
        if value and host in value:
            return f"Correct {name}, which is {value!r}, or its DNS."
    return "Set public_endpoint_url to the address under which browsers reach the server."


def _mismatch(answer: Answer) -> str:
    if answer.code == "SignatureDoesNotMatch":
        return "The signature is for another host: the one in the URL is changed on the way."
    return f"The server answered {answer.status} {answer.code}".rstrip() + "."


def check_signed_url(probe: Probe) -> str:
    """The URL that the storage gives for a file leads to it."""
    key = probe.sample
    if not probe.wrote:
        raise NotApplicableError("no file was saved to ask for")
    what = "The URL of a file does not lead to it."
    url = probe.storage.url(probe.name())
    if not urlsplit(url).netloc:
        raise NotApplicableError("with DEBUG, runserver serves static files, below STATIC_URL")
    answer = _ask(probe, "GET", url, what)
    if answer.status in _DONE and answer.body == BODY:
        return f"url() of {key} answers 200"
    if probe.place.access == CDN:
        domain = probe.storage.custom_domain
        raise FaultError(
            what,
            f"{domain} answered {answer.status}: it may lead to another bucket or folder, or may "
            "not read this one.",
            f"Let {domain} lead to {bucket_arn(probe.place)}, and let its origin access read: "
            f"{one_line(statement(['s3:GetObject'], objects_arn(probe.place)))}",
        )
    if probe.place.access == PUBLIC:
        raise NotApplicableError("the step 'public' tells of it")
    fix = "Let the proxy or load balancer pass the Host header and the path on unchanged, or set "
    raise FaultError(what, _mismatch(answer), f"{fix}public_endpoint_url.")


def check_signed_upload(probe: Probe) -> str:
    """A browser can upload a file with a signed URL."""
    name = probe.name("-browser")
    what = "A browser cannot upload a file with a signed URL."
    form = probe.storage.presigned_put(name, size=len(BODY), content_type="text/plain", expire=60)
    answer = _ask(probe, form["method"], form["url"], what, headers=form["headers"], body=BODY)
    if answer.status not in _DONE:
        if answer.code == "AccessDenied":
            why = "The credentials that signed it may not do what it asks for."
            fix = one_line(statement(["s3:PutObject", "s3:PutObjectAcl"], objects_arn(probe.place)))
            raise FaultError(what, why, f"Allow it: {fix}")
        raise FaultError(what, _mismatch(answer), _fix_of_host(probe, urlsplit(form["url"]).netloc))
    return "presigned_put() is accepted"


def check_strangers_reading(probe: Probe) -> str:
    """What is to be private is refused to an unsigned request; what is public is not."""
    key = probe.sample
    url = _unsigned(probe, key)
    answer = _ask(probe, "GET", url, "Whether files are private cannot be told.")
    is_open = answer.status in _DONE
    access = probe.place.access
    if access == PRIVATE and is_open:
        raise FaultError(
            "Anybody may read the files of this private module.",
            "An unsigned request was answered with the content: by the bucket policy, or by the "
            "ACL that the bucket or the files have.",
            f"Block it: aws s3api put-public-access-block --bucket {probe.bucket} "
            "--public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,"
            "BlockPublicPolicy=true,RestrictPublicBuckets=true. Elsewhere, remove the statement "
            "with Principal '*' from the bucket policy, and ACLs of public files.",
        )
    if access == PUBLIC and not is_open:
        allowed = statement(["s3:GetObject"], objects_arn(probe.place), Principal="*")
        raise FaultError(
            "Nobody may read the files of this public module.",
            f"An unsigned request was answered {answer.status} {answer.code}".rstrip() + ".",
            f"Allow it in the bucket policy: {one_line(allowed)}. On AWS, BlockPublicPolicy has "
            "to be off for that.",
        )
    return f"answered {answer.status}" if is_open else f"refused with {answer.status}"


def _unsigned(probe: Probe, key: str) -> str:
    return probe.base_url + quote(key)


def check_strangers_listing(probe: Probe) -> str:
    """Nobody without credentials can list the bucket."""
    answer = probe.stranger
    if answer.status in _DONE and b"ListBucketResult" in answer.body:
        raise FaultError(
            "Anybody may list the names of all files in this bucket.",
            "An unsigned request was answered with a list: by an ACL public-read of the bucket, or "
            "by s3:ListBucket for everybody in its policy.",
            f"Remove it: aws s3api put-bucket-acl --bucket {probe.bucket} --acl private, and "
            "remove s3:ListBucket for Principal '*' from the bucket policy. Public files need "
            "s3:GetObject alone.",
        )
    return f"refused with {answer.status}"


def check_strangers_writing(probe: Probe) -> str:
    """Nobody without credentials can write."""
    require_writing(probe)
    url = _unsigned(probe, probe.key("-stranger"))
    answer = _ask(probe, "PUT", url, "Whether anybody may write cannot be told.", body=BODY)
    if answer.status in _DONE:
        raise FaultError(
            "Anybody may write into this bucket.",
            "An unsigned PUT was accepted: by an ACL public-read-write of the bucket, or by "
            "s3:PutObject for everybody in its policy.",
            f"Remove it: aws s3api put-bucket-acl --bucket {probe.bucket} --acl private, and "
            "remove s3:PutObject for Principal '*' from the bucket policy.",
        )
    return f"refused with {answer.status}"


def check_cors(probe: Probe) -> str:
    """A page of each origin may upload straight to the bucket."""
    if not probe.origins:
        raise NotApplicableError("no --origin was given")
    form = probe.storage.presigned_put(
        probe.name("-browser"), size=len(BODY), content_type="text/plain", expire=60
    )
    for origin in probe.origins:
        _check_origin(probe, origin, form)
    return f"allowed for {', '.join(probe.origins)}"


def _check_origin(probe: Probe, origin: str, form: Dict[str, Any]) -> None:
    what = f"A page of {origin} cannot upload straight to the bucket."
    names = ",".join(sorted(name.lower() for name in form["headers"] if name != "Content-Length"))
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": form["method"],
        "Access-Control-Request-Headers": names,
    }
    answer = _ask(probe, "OPTIONS", form["url"], what, headers=asked)
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed not in (origin, "*"):
        raise FaultError(
            what,
            f"The preflight request was answered {answer.status}, without that origin.",
            f"Set the CORS rules: manage.py buckets policy {probe.place.module} --cors --origin "
            f"{origin}; 'buckets create' puts them in force.",
        )
