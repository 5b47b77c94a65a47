"""For the tests of a project: buckets without a network, assertions, failures on order.

A test comes in, with the settings of its project; its modules keep their files in memory until it
ends, and nothing goes out. The rest of the package may not know this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smart_storages.common.on_demand import importing_on_demand

# pytest imports the plugin of this room in every project, also in one without Django.
_NAMES_IN = {
    "assertions": [
        "assert_not_saved",
        "assert_saved",
        "assert_url_not_signed",
        "assert_url_signed",
    ],
    "counting": ["Counted", "count_operations"],
    "failures_on_order": ["failing"],
    "overriding": ["override_buckets"],
}

if TYPE_CHECKING:
    from .assertions import (
        assert_not_saved,
        assert_saved,
        assert_url_not_signed,
        assert_url_signed,
    )
    from .counting import Counted, count_operations
    from .failures_on_order import failing
    from .overriding import override_buckets
else:
    __getattr__ = importing_on_demand(__name__, _NAMES_IN)

__all__ = [
    "Counted",
    "assert_not_saved",
    "assert_saved",
    "assert_url_not_signed",
    "assert_url_signed",
    "count_operations",
    "failing",
    "override_buckets",
]
