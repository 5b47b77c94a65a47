import pytest

from smart_storages.providers import CAUTIOUS, PROVIDERS, get_provider


def test_every_provider_of_the_documentation_has_a_row():
    assert set(PROVIDERS) == {
        "aws", "b2", "ceph", "gcs", "minio", "moto", "r2", "spaces", "wasabi",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_named_provider_wins_over_the_endpoint(name):
    assert get_provider(name, "https://s3.example.com").name == name


def test_no_endpoint_means_aws():
    assert get_provider(None, None).name == "aws"


@pytest.mark.parametrize(
    "endpoint",
    ["https://s3.eu-west-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"],
)
def test_an_endpoint_of_aws_means_aws(endpoint):
    assert get_provider(None, endpoint).name == "aws"


@pytest.mark.parametrize(
    "endpoint",
    ["http://localhost:9000", "https://amazonaws.com.example.org", "https://notamazonaws.com"],
)
def test_any_other_endpoint_gets_the_cautious_row(endpoint):
    assert get_provider(None, endpoint) is CAUTIOUS


def test_the_cautious_row_promises_nothing_that_a_row_lacks():
    for row in PROVIDERS.values():
        assert row.conditional_put >= CAUTIOUS.conditional_put
        assert row.conditional_complete >= CAUTIOUS.conditional_complete


def test_an_unknown_provider_is_an_error():
    with pytest.raises(KeyError):
        get_provider("azure", None)
