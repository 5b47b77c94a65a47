import pickle
import re

import pytest
from botocore.exceptions import ClientError

from smart_storages import exceptions
from smart_storages.backends.s3.errors.botocore_kinds import also_of_botocore
from smart_storages.queued.composed_parts import ContextDependentError
from tests import documentation

NAMES = [name for name in exceptions.__all__ if name.endswith("Error")]
CLASSES = [getattr(exceptions, name) for name in NAMES]


def test_the_tree_at_the_top_of_the_module_is_the_tree():
    drawn = re.findall(r"^    (?:([│ ├└─]*)─ )?(\w+Error)\b", exceptions.__doc__, re.MULTILINE)
    assert sorted(name for _, name in drawn) == sorted(NAMES)
    parents = []
    for indent, name in drawn:
        depth = (len(indent) + 2) // 4 if indent else 0
        del parents[depth:]
        if parents:
            assert issubclass(getattr(exceptions, name), parents[-1]), name
        parents.append(getattr(exceptions, name))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_the_common_base(kind):
    assert issubclass(kind, exceptions.SmartStorageError)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if issubclass(kind, exceptions.S3Error)])
def test_an_error_of_s3_survives_a_pickle(kind):
    error = kind("It broke.", module="media", bucket="acme", key="a.txt", status=400, code="Odd")
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert error.text == "It broke. (module 'media', bucket 'acme', key 'a.txt')"
    assert (twin.status, twin.code) == (400, "Odd")


def test_the_errors_of_every_backend_are_told():
    error = exceptions.BackendsFailedError(
        "No backend could open 'a'.", [("disk", FileNotFoundError("a")), ("s3", OSError("b"))]
    )
    assert "disk: FileNotFoundError('a')" in str(error)
    assert "s3: OSError('b')" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


# The link at the end

SITE = "https://storages.example.com/en/stable/"


def _made(kind):
    if kind is exceptions.UploadError:
        return kind("too_large", "It broke.", 413)
    return kind("It broke.")


@pytest.mark.documentation
def test_the_text_of_every_error_ends_with_a_link_to_its_heading():
    anchors = documentation.anchors("docs/troubleshooting.md")
    for kind in CLASSES:
        error, link = _made(kind), exceptions.link_to("troubleshooting", kind.__name__)
        assert link.startswith("docs/troubleshooting.md#")
        assert link.partition("#")[2] in anchors
        assert error.text == "It broke."
        # That of an upload is for the user.
        is_for_user = kind is exceptions.UploadError
        assert str(error) == ("It broke." if is_for_user else f"It broke. See {link}")


def test_with_an_address_every_link_leads_to_the_site(monkeypatch):
    monkeypatch.setattr(exceptions, "DOCUMENTATION", SITE)
    for kind in set(CLASSES) - {exceptions.UploadError}:
        link = f"{SITE}troubleshooting.html#{kind.__name__.lower()}"
        assert str(_made(kind)) == f"It broke. See {link}"
    # Sphinx makes other anchors of some headings than GitHub.
    assert exceptions.link_to("checks", "smart_storages.E001") == (
        f"{SITE}checks.html#smart-storages-e001"
    )


def test_the_address_is_empty_or_that_of_a_folder():
    assert re.fullmatch(r"(https://[^\s#?]+/)?", exceptions.DOCUMENTATION)


def test_the_link_is_to_the_nearest_class_that_has_a_heading():
    class OfProject(exceptions.BucketNotFoundError):
        pass

    assert str(OfProject("No.")).endswith("#bucketnotfounderror")
    assert str(ContextDependentError("No.")).endswith("#configurationerror")
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    both = also_of_botocore(exceptions.AccessDeniedError("No."), denied)
    assert isinstance(both, ClientError)
    assert str(both) == "No. See docs/troubleshooting.md#accessdeniederror"
    assert str(pickle.loads(pickle.dumps(both))) == str(both)  # noqa: S301 - our own


def test_an_error_that_quotes_another_has_one_link_to_that():
    inner = exceptions.BucketNotFoundError("There is no such bucket.")
    outer = exceptions.ConfigurationError(f"The module 'media': {inner}")
    assert str(outer) == (
        "The module 'media': There is no such bucket. "
        "See docs/troubleshooting.md#bucketnotfounderror"
    )
    failed = exceptions.BackendsFailedError("No backend could.", [("far", inner), ("near", outer)])
    assert str(failed).count("See docs/") == 1
