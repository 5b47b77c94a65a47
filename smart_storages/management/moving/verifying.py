"""Comparing everything in two storages, without changing either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator

from smart_storages.management.moving.comparing import is_same, is_same_content
from smart_storages.management.moving.copying import Plan
from smart_storages.management.moving.ends import BucketEnd
from smart_storages.management.moving.merging import Pair, merge, read_ahead
from smart_storages.management.moving.workers import Workers

__all__ = ["DIFFERENT", "EXTRA", "MISSING", "Comparison", "verify"]

#: What may be wrong with a name: the target lacks it, has other content, or has it alone.
MISSING, DIFFERENT, EXTRA = "missing", "different", "extra"
_SAME, _GONE = "same", "gone"

#: Files that seem to differ and are looked at once more. Two requests for each of a million files
#: that were never copied would tell nothing new.
_MOST_LOOKS = 1_000


@dataclass
class Comparison:
    """How two storages differ, in numbers of files.

    Args:
        same: They have the same content.
        different: They have other content in the target.
        missing: Only the source has them.
        extra: Only the target has them.
        failed: They could not be compared.
        gone: They were deleted from both while the others were compared.
    """

    same: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    failed: int = 0
    gone: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether the two have the same files with the same content."""
        return not (self.different or self.missing or self.extra or self.failed)


def verify(
    plan: Plan,
    tell: Callable[[str, str, Any], None] = lambda *_: None,
    advance: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare each file of the two ends; where no ETag or checksum tells, both are read.

    What seems to differ is looked at once more, up to a thousand files: a live site may have saved
    or deleted it since it was listed.

    Args:
        plan: The ends and the prefix.
        tell: Called for each difference: what it is, the name, and the error if there was one.
        advance: Called with a number of files that were compared since the last call.

    Raises:
        S3Error: a listing failed.

    Example::

        verify(Plan(end_of(photos, "photos"), end_of(archive, "archive"))).is_equal
    """
    found = Comparison()
    pairs = merge(
        read_ahead(plan.source.entries(plan.prefix)), read_ahead(plan.target.entries(plan.prefix))
    )
    jobs = _passing_equal(pairs, to_bucket=isinstance(plan.target, BucketEnd))
    for job, result, error in Workers(_Judge(plan), jobs, threads=plan.threads):
        if isinstance(job, int):
            found.same += job
            advance(job)
            continue
        outcome = "failed" if error is not None else result
        setattr(found, outcome, getattr(found, outcome) + 1)
        advance(1)
        if outcome not in (_SAME, _GONE):
            tell(outcome, job.name, error)
    return found


def _passing_equal(pairs: Iterator[Pair], *, to_bucket: bool) -> Iterator[Any]:
    """Yield the pairs that need a closer look; for others, only how many there were."""
    equal = 0
    for pair in pairs:
        one, other = pair.source, pair.target
        if one is not None and one.name.endswith("/") and not to_bucket:
            continue
        if one is not None and other is not None and one.etag and one[1:3] == other[1:3]:
            equal += 1
            continue
        if equal:
            yield equal
            equal = 0
        yield pair
    if equal:
        yield equal


class _Judge:
    """Says what is with a file that the listings do not show to be the same."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._looks = 0

    def __call__(self, job: Any) -> str:
        if isinstance(job, int):
            return _SAME
        may_look = self._looks < _MOST_LOOKS
        try:
            outcome = self._compare(job)
        except FileNotFoundError:
            if not may_look:
                raise
        else:
            if outcome == _SAME or not may_look:
                return outcome
        self._looks += 1
        plan, name = self._plan, job.name
        return self._compare(Pair(name, plan.source.find(name), plan.target.find(name)))

    def _compare(self, pair: Pair) -> str:
        plan, (_, one, other) = self._plan, pair
        if one is None or other is None:
            return _GONE if one is other else EXTRA if one is None else MISSING
        same = is_same(plan.source, one, plan.target, other)
        if same is None:
            same = is_same_content(plan.source, plan.target, one.name)
        return _SAME if same else DIFFERENT
