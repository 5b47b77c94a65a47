"""``manage.py buckets check``: whether every bucket does what its module needs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Dict, List

from smart_storages.management.checking.findings import FAILED, WARNING, Finding
from smart_storages.management.checking.run import Report, check_place
from smart_storages.management.output import Context
from smart_storages.management.places import Place, find_place, find_places
from smart_storages.management.subcommands import FINE, WRONG
from smart_storages.signals import bucket_checked

__all__ = ["HELP", "add_arguments", "handle"]

HELP = "Check that every bucket does what its module needs, with a temporary key."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the modules, and the origins of pages that upload straight to the bucket."""
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="Modules; all if none.")
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        help="Origin of pages that upload straight to the bucket, https://www.example.com: CORS "
        "is checked for it. May be repeated.",
    )


def handle(context: Context, options: Dict[str, Any]) -> int:
    """Check the modules; the exit code is 1 if a step failed for one of them."""
    named = options["modules"]
    places = [find_place(name) for name in named] if named else find_places()
    reports: List[Report] = []
    for place in places:
        context.write(_heading(place))
        reports.append(
            check_place(place, tuple(options["origin"]), lambda finding: _tell(context, finding))
        )
        context.announce(bucket_checked, **_noted(reports[-1]))
        if reports[-1].verdict:
            context.write(f"  {reports[-1].verdict}")
        context.write()
    if context.json:
        context.write_json([_describe(report) for report in reports])
    wrong = [report.place.module for report in reports if not report.is_fine]
    if wrong:
        context.write(f"Something is wrong with: {', '.join(wrong)}.")
    else:
        context.write(_praise(reports))
    return WRONG if wrong else FINE


def _praise(reports: List[Report]) -> str:
    warnings = sum(each.status == WARNING for report in reports for each in report.findings)
    if not warnings:
        return "Everything is fine."
    return f"Nothing failed, with {warnings} warning{'s' if warnings > 1 else ''}."


def _noted(report: Report) -> Dict[str, Any]:
    wrong = [each for each in report.findings if each.status in (FAILED, WARNING)]
    return {
        "module": report.place.module,
        "bucket": None if report.place.problem else report.place.bucket,
        "is_fine": report.is_fine,
        "findings": [finding._asdict() for finding in wrong],
    }


def _heading(place: Place) -> str:
    if place.problem is not None or not place.bucket:
        return place.module
    return f"{place.module}: {place.bucket}/{place.location} at {place.server}, {place.access}"


def _tell(context: Context, finding: Finding) -> None:
    status = finding.status.upper() if finding.status in (FAILED, WARNING) else finding.status
    context.write(f"  {status:8} {finding.step:14} {finding.what}")
    for label, text in (("why", finding.why), ("fix", finding.fix)):
        if text:
            context.write(f"{'':11}{label}: {text}")


def _describe(report: Report) -> Dict[str, Any]:
    place = report.place
    return {
        "module": place.module,
        "bucket": None if place.problem else place.bucket,
        "fine": report.is_fine,
        "findings": [finding._asdict() for finding in report.findings],
        "seen": report.seen,
        "verdict": report.verdict,
    }
