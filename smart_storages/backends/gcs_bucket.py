"""What the objects of a module need: a bucket, and that anybody may read them if they are public.

Two ways make objects public. Where each has an ACL of its own, the bucket must allow ACLs; where
none has, it lets everybody read what is in it.

- https://cloud.google.com/storage/docs/uniform-bucket-level-access
- https://cloud.google.com/storage/docs/public-access-prevention
- https://cloud.google.com/storage/docs/access-control/iam-roles
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any, Dict, List, Optional, Sequence, Tuple

from smart_storages.backends.gcs_errors import raise_for
from smart_storages.backends.gcs_requests import Answer, GoogleConnection, path_of
from smart_storages.backends.store import Need
from smart_storages.exceptions import ConfigurationError, S3Error

__all__ = ["GoogleBucketMixin"]

_BUCKETS = "/storage/v1/b"
_JSON = {"Content-Type": "application/json"}
_MISSING, _CONFLICT, _CHANGED = 404, 409, 412
#: How often a policy is read again because somebody else has changed it meanwhile.
_TRIES = 3

_EVERYBODY = "allUsers"
#: With it, anybody may read an object whose name he knows, and nobody may list them.
_READER = "roles/storage.legacyObjectReader"
_READERS = (_READER, "roles/storage.objectViewer")


def _configuration(*, has_acls: bool, is_open: bool) -> Dict[str, Any]:
    return {
        "uniformBucketLevelAccess": {"enabled": not has_acls},
        "publicAccessPrevention": "inherited" if is_open else "enforced",
    }


class GoogleBucketMixin:
    """``needs`` of the store."""

    _bucket: str
    _connection: GoogleConnection
    _project: Optional[str]

    def needs(self, *, is_public: bool, by_acl: bool = False) -> Sequence[Need]:
        configuration = _configuration(has_acls=by_acl, is_open=is_public or by_acl)
        create = partial(self._create_bucket, configuration)
        found: List[Need] = [Need(f"the bucket {self._bucket}", self._has_bucket, create)]
        if by_acl:
            found.append(Need("permission for ACLs of its objects", self._has_acls, self._open))
        elif is_public:
            what = "permission for anybody to read its objects"
            found.append(Need(what, self._is_public, self._make_public))
        return found

    def _has_bucket(self) -> bool:
        accepts = (200, _MISSING)
        return self._ask_bucket("GET", {"fields": "name"}, accepts=accepts).status != _MISSING

    def _create_bucket(self, configuration: Dict[str, Any]) -> None:
        answer = self._connection.send(
            "POST",
            _BUCKETS,
            {"project": self._find_project()},
            headers=_JSON,
            body=json.dumps({"name": self._bucket, "iamConfiguration": configuration}).encode(),
            accepts=(200, _CONFLICT),
        )
        if answer.status == _CONFLICT:
            self._ask_bucket("GET", {"fields": "name"})  # fails if it is somebody else's

    def _find_project(self) -> str:
        project = self._project or getattr(self._connection.credentials, "project_id", None)
        project = project or os.environ.get("GOOGLE_CLOUD_PROJECT")
        if not project:
            raise ConfigurationError(
                "Google makes a bucket in a project, and none is named. Set project_id, "
                "GS_PROJECT_ID or GOOGLE_CLOUD_PROJECT."
            )
        return str(project)

    def _read_access(self) -> Tuple[bool, bool]:
        """Return whether objects may have ACLs, and whether nothing prevents public access."""
        found = (
            self._ask_bucket("GET", {"fields": "iamConfiguration"})
            .json()
            .get("iamConfiguration", {})
        )
        is_uniform = found.get("uniformBucketLevelAccess", {}).get("enabled", False)
        return not is_uniform, found.get("publicAccessPrevention") != "enforced"

    def _has_acls(self) -> bool:
        return all(self._read_access())

    def _open(self, *, has_acls: bool = True) -> None:
        changed = {"publicAccessPrevention": "inherited"}
        if has_acls:
            changed = _configuration(has_acls=True, is_open=True)
        self._ask_bucket("PATCH", {"fields": "name"}, {"iamConfiguration": changed})

    def _is_public(self) -> bool:
        return self._read_access()[1] and _lets_everybody_read(self._read_policy())

    def _make_public(self) -> None:
        if not self._read_access()[1]:
            self._open(has_acls=False)
        for _ in range(_TRIES):
            policy = self._read_policy()
            if _lets_everybody_read(policy):
                return
            # What else stands there stays; its etag refuses it if somebody has changed it.
            bindings = [*policy.get("bindings", ()), {"role": _READER, "members": [_EVERYBODY]}]
            changed = {**policy, "bindings": bindings}
            accepts = (200, _CONFLICT, _CHANGED)
            answer = self._ask_bucket("PUT", {}, changed, below="/iam", accepts=accepts)
            if answer.status not in accepts[1:]:
                return
        raise S3Error(
            "Google refused to open the bucket: somebody else changes its policy, or the "
            "organization prevents public access."
        )

    def _read_policy(self) -> Dict[str, Any]:
        # Of an older version, bindings with conditions would lose them.
        query = {"optionsRequestedPolicyVersion": 3}
        answer = self._ask_bucket("GET", query, below="/iam", accepts=(200, _MISSING))
        if answer.status == _MISSING:
            raise S3Error("The server knows no policy of the bucket. Emulators have none.")
        return answer.json()

    def _ask_bucket(
        self,
        method: str,
        query: Dict[str, Any],
        body: Optional[Dict[str, Any]] = None,
        *,
        below: str = "",
        accepts: Tuple[int, ...] = (200,),
    ) -> Answer:
        answer = self._connection.send(
            method,
            path_of(self._bucket).rpartition("/")[0] + below,
            query,
            headers=_JSON if body is not None else None,
            body=json.dumps(body).encode() if body is not None else b"",
            accepts=(*accepts, _MISSING),
        )
        if answer.status not in accepts:
            raise_for(answer.status, answer.content, is_of_bucket=True)
        return answer


def _lets_everybody_read(policy: Dict[str, Any]) -> bool:
    return any(
        each.get("role") in _READERS
        and _EVERYBODY in each.get("members", ())
        and "condition" not in each
        for each in policy.get("bindings", ())
    )
