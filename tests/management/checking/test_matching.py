from __future__ import annotations

from smart_storages.config.providers import PROVIDERS
from smart_storages.management.checking.matching import describe_fit, fitting_rows, traits_of


def test_each_row_of_the_table_is_found_by_what_it_promises() -> None:
    for row in PROVIDERS.values():
        seen = traits_of(row)
        best = fitting_rows(seen)[0]
        assert traits_of(PROVIDERS[best]) == seen, (row.name, best)


def test_the_name_of_the_server_decides_between_equal_rows() -> None:
    seen = traits_of(PROVIDERS["aws"])
    assert fitting_rows(seen, "AmazonS3")[0] == "aws"
    assert fitting_rows(seen, "Werkzeug/3.1.3 Python/3.11")[0] == "moto"


def test_a_row_that_promises_more_than_was_seen_never_fits() -> None:
    seen = {**traits_of(PROVIDERS["ceph"]), "bulk_delete": False}
    assert "ceph" not in fitting_rows(seen)


def test_the_line_says_what_to_set() -> None:
    ceph = traits_of(PROVIDERS["ceph"])
    assert describe_fit("ceph", "http://s3", ceph, "").endswith("'ceph', which the module has.")
    assert describe_fit(None, "http://s3", ceph, "").endswith("Set 'provider': 'ceph'.")
    little = {**dict.fromkeys(ceph, False), "bulk_delete": True}
    assert describe_fit("aws", "http://s3", little, "").endswith("Set 'provider': 'b2'.")
    assert "too little was seen" in describe_fit(None, "http://s3", {"acls": True}, "")
