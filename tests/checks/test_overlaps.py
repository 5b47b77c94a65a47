"""Of every place that overlaps another with another ACL, one pair is told, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smart_storages.checks.overlaps import Place, find_overlaps

PLACES = st.lists(
    st.builds(
        Place,
        key=st.sampled_from(["one", "two", "three"]),
        is_alias=st.booleans(),
        bucket=st.sampled_from([("acme", None), ("acme", "http://localhost:1"), ("other", None)]),
        location=st.lists(st.sampled_from(["a", "b", "ab", "a-b"]), max_size=3).map("/".join),
        acl=st.sampled_from(["private", "public-read", "authenticated-read"]),
    ),
    max_size=12,
)


def lies_at_or_above(one, other):
    return other.segments[: len(one.segments)] == one.segments


def are_rivals(one, other, of_aliases):
    if one.bucket != other.bucket or one.acl == other.acl:
        return False
    if not (lies_at_or_above(one, other) or lies_at_or_above(other, one)):
        return False
    if not of_aliases:
        return True
    if one.is_alias and other.is_alias:
        return True
    return one.is_alias != other.is_alias and one.key != other.key


@given(places=PLACES, of_aliases=st.booleans())
def test_every_pair_is_one_and_every_rival_above_is_told_of(places, of_aliases):
    pairs = find_overlaps(places, of_aliases)
    assert len(set(pairs)) == len(pairs) <= max(len(places) - 1, 0)
    for one, other in pairs:
        assert one < other
        assert are_rivals(places[one], places[other], of_aliases)
    told = {number for pair in pairs for number in pair}
    for number, place in enumerate(places):
        rivals = [other for other in places if are_rivals(place, other, of_aliases)]
        if any(
            lies_at_or_above(other, place) and other.location != place.location for other in rivals
        ):
            assert number in told
        if any(other.location == place.location for other in rivals):
            assert any(places[each].segments == place.segments for each in told)


def test_slashes_at_the_ends_do_not_make_another_location():
    places = [
        Place("one", False, ("acme",), "a/", "private"),
        Place("two", False, ("acme",), "a", "public-read"),
        Place("three", False, ("acme",), "ab/", "public-read"),
    ]
    assert find_overlaps(places) == [(0, 1)]


def test_a_thousand_modules_of_one_location_are_each_told_of_once():
    acls = ["private", "public-read"] * 500
    places = [Place(str(n), False, ("acme",), "a", acl) for n, acl in enumerate(acls)]
    assert len(find_overlaps(places)) == 999
