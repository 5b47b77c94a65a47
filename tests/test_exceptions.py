import pickle
import re

import pytest

from smart_storages import exceptions

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
    assert str(twin) == str(error) == "It broke. (module 'media', bucket 'acme', key 'a.txt')"
    assert (twin.status, twin.code) == (400, "Odd")


def test_the_errors_of_every_backend_are_told():
    error = exceptions.BackendsFailedError(
        "No backend could open 'a'.", [("disk", FileNotFoundError("a")), ("s3", OSError("b"))]
    )
    assert "disk: FileNotFoundError('a')" in str(error)
    assert "s3: OSError('b')" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own
