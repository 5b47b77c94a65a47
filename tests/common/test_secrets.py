import copy
import json
import pickle
import pprint

import pytest

from smart_storages.common.secrets import Secret, conceal, reveal


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r:>3}".format, "%s".__mod__])
def test_a_secret_prints_as_three_stars(show):
    assert show(Secret("hunter2")) == "***"


def test_a_secret_in_a_container_is_not_shown():
    assert "hunter2" not in pprint.pformat({"keys": [Secret("hunter2")]})


def test_a_secret_equals_and_hashes_like_its_text():
    assert Secret("hunter2") == "hunter2"
    assert {Secret("hunter2"): 1}["hunter2"] == 1


def test_revealing_gives_a_plain_string():
    plain = Secret("hunter2").reveal()
    assert type(plain) is str
    assert plain == "hunter2"
    assert type(reveal("other")) is str
    assert reveal(None) is None


def test_copies_of_a_secret_are_the_secret():
    secret = Secret("hunter2")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_never_pickled(protocol):
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps({"key": Secret("hunter2")}, protocol)


def test_a_secret_serialises_where_it_is_asked_to():
    # JSON is written on purpose, to a place the writer chose; it is not a log line.
    assert json.loads(json.dumps({"key": Secret("hunter2")})) == {"key": "hunter2"}


def test_bytes_are_a_secret_as_well():
    secret = conceal(b"hunter2")
    assert repr(secret) == str(secret) == f"{secret}" == "***"
    assert secret == b"hunter2"
    assert type(reveal(secret)) is bytes
    assert reveal(secret) == b"hunter2"
    assert copy.deepcopy([secret])[0] is secret
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_what_is_neither_text_nor_bytes_is_concealed_from_nobody():
    assert [conceal(each) for each in (None, 3)] == [None, 3]
    assert conceal(Secret("a")).reveal() == "a"
