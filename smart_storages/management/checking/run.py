"""Runs the steps of a check in order, and removes what they wrote."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple

from smart_storages.common.documentation import plain_text
from smart_storages.exceptions import SmartStorageError
from smart_storages.management.checking import (
    network,
    objects,
    promises,
    stores,
    strangers,
    urls_of_stores,
)
from smart_storages.management.checking.findings import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    FaultError,
    Finding,
    NotApplicableError,
)
from smart_storages.management.checking.matching import describe_fit
from smart_storages.management.checking.probe import Probe
from smart_storages.management.places import Place

__all__ = ["Report", "check_place", "step_names"]


class _Step(NamedTuple):
    name: str
    run: Callable[[Any], str]
    needs: Tuple[str, ...] = ()


_STEPS = (
    _Step("dns", network.check_name),
    _Step("connection", network.check_connection, ("dns",)),
    _Step("tls", network.check_tls, ("connection",)),
    _Step("server", network.check_server, ("tls",)),
    _Step("clock", network.check_clock, ("server",)),
    _Step("credentials", objects.check_credentials, ("server", "clock")),
    _Step("region", objects.check_region, ("credentials",)),
    _Step("bucket", objects.check_bucket, ("region",)),
    _Step("list", objects.check_list, ("bucket",)),
    _Step("put", objects.check_put, ("bucket",)),
    _Step("get", objects.check_get, ("bucket",)),
    _Step("range", objects.check_range, ("get",)),
    _Step("head", objects.check_head, ("get",)),
    _Step("if-none-match", promises.check_condition, ("put",)),
    _Step("multipart", promises.check_multipart, ("put",)),
    _Step("checksums", promises.check_checksums, ("put",)),
    _Step("acls", promises.check_acls, ("put",)),
    _Step("url", strangers.check_signed_url, ("get",)),
    _Step("upload url", strangers.check_signed_upload, ("put",)),
    _Step("public", strangers.check_strangers_reading, ("bucket",)),
    _Step("public list", strangers.check_strangers_listing, ("bucket",)),
    _Step("public write", strangers.check_strangers_writing, ("bucket",)),
    _Step("cors", strangers.check_cors, ("bucket",)),
    _Step("bulk delete", promises.check_bulk_delete, ("put",)),
    _Step("delete", objects.check_delete, ("put",)),
)

_STEPS_ELSEWHERE = (
    _Step("bucket", stores.check_needs),
    _Step("list", stores.check_list, ("bucket",)),
    _Step("put", stores.check_put, ("bucket",)),
    _Step("get", stores.check_get, ("bucket",)),
    _Step("range", stores.check_range, ("get",)),
    _Step("head", stores.check_head, ("put",)),
    _Step("taken name", stores.check_taken_name, ("put",)),
    _Step("url", urls_of_stores.check_url, ("get",)),
    _Step("upload url", urls_of_stores.check_upload_url, ("put",)),
    _Step("public", urls_of_stores.check_strangers_reading, ("get",)),
    _Step("delete", stores.check_delete, ("put",)),
)


class Report(NamedTuple):
    """What a check of one place came to.

    Args:
        place: The module.
        findings: One for each step.
        verdict: Which row of the table of providers fits.
        seen: What was seen of the server, by column of that table.
    """

    place: Place
    findings: List[Finding]
    verdict: str = ""
    seen: Dict[str, bool] = {}  # noqa: RUF012 - never changed

    @property
    def is_fine(self) -> bool:
        """Whether no step failed."""
        return all(each.status != FAILED for each in self.findings)


def step_names(*, in_s3: bool = True) -> List[str]:
    """Return the names of the steps, in their order.

    Args:
        in_s3: Whether the files of the module are in S3.
    """
    steps = _STEPS if in_s3 else _STEPS_ELSEWHERE
    return ["configuration", *(each.name for each in steps), "cleanup"]


def check_place(
    place: Place,
    origins: Tuple[str, ...] = (),
    tell: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """Check a place, step by step; what was written is removed, also when it is interrupted.

    Args:
        place: The module.
        origins: Origins of web pages that upload straight to the bucket.
        tell: Called with each finding as soon as there is one.
    """
    findings: List[Finding] = []

    def add(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    problem = _problem_of(place)
    if problem is not None:
        add(problem)
        return Report(place, findings)
    storage: Any = place.storage
    probe: Any = (Probe if storage.is_in_s3 else stores.StoreProbe)(place, origins)
    try:
        _ = probe.base_url if storage.is_in_s3 else probe.store
    except SmartStorageError as error:
        add(Finding("configuration", FAILED, "The module cannot be used.", plain_text(error)))
        return Report(place, findings)
    try:
        _run_steps(probe, _STEPS if storage.is_in_s3 else _STEPS_ELSEWHERE, add)
    finally:
        left = _clean_up(probe)
        if left is not None:
            add(left)
    if not storage.is_in_s3:
        return Report(place, findings, stores.describe(probe))
    server = _server_of(probe, findings)
    verdict = describe_fit(storage.provider, storage.endpoint_url, probe.seen, server)
    return Report(place, findings, verdict, dict(probe.seen))


def _problem_of(place: Place) -> Optional[Finding]:
    if place.problem is not None:
        return Finding("configuration", FAILED, "The module is misconfigured.", str(place.problem))
    if not place.bucket:
        fix = f"Set SMART_STORAGE_BUCKETS[{place.module!r}]['bucket_name']."
        return Finding("configuration", FAILED, "The module has no bucket.", "", fix)
    if "*" in place.module:
        text = f"a pattern: check one of its modules, as {place.module.replace('*', 'x')!r}"
        return Finding("configuration", SKIPPED, text)
    return None


def _run_steps(probe: Any, all_steps: Tuple[_Step, ...], add: Callable[[Finding], None]) -> None:
    broken: Set[str] = set()
    told: Set[str] = set()
    for step in all_steps:
        needed = [name for name in step.needs if name in broken]
        if needed:
            finding, blocks = Finding(step.name, SKIPPED, f"it needs {needed[0]}"), True
        else:
            finding, blocks = _run(step, probe)
        if finding.status == FAILED and finding.what in told:
            # One fault shows in several steps: it is told of once.
            finding = Finding(step.name, SKIPPED, "it has the fault that was told of")
        told.add(finding.what)
        if blocks:
            broken.add(step.name)
        add(finding)


def _run(step: _Step, probe: Any) -> Tuple[Finding, bool]:
    """Return what a step found, and whether the steps that need it are left out."""
    try:
        return Finding(step.name, OK, step.run(probe)), False
    except NotApplicableError as reason:
        return Finding(step.name, SKIPPED, str(reason)), reason.blocks
    except FaultError as fault:
        status = FAILED if fault.serious else WARNING
        return Finding(step.name, status, fault.what, fault.why, fault.fix), fault.serious
    except SmartStorageError as error:
        return Finding(step.name, FAILED, plain_text(error)), True


def _clean_up(probe: Any) -> Optional[Finding]:
    if not probe.may_have_written:
        return None
    probe.clean_up()
    if not probe.left:
        return Finding("cleanup", OK, f"{len(probe.keys)} temporary keys removed")
    return Finding(
        "cleanup",
        FAILED,
        f"Temporary objects could not be removed: {', '.join(probe.left)}.",
        "The credentials may not delete them.",
        "Delete them with other credentials.",
    )


def _server_of(probe: Probe, findings: List[Finding]) -> str:
    reached = any(each.step == "server" and each.status == OK for each in findings)
    return str(probe.stranger.headers.get("server", "")) if reached else ""
