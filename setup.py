"""Everything is in pyproject.toml, save what setuptools spells differently by version.

``DIST_NAME`` in the environment builds the same package as a distribution of that name.
"""

import os
import re
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.sdist import sdist

NAME = "django-smart-storages"
DIST_NAME = os.environ.get("DIST_NAME") or NAME


def renamed(text):
    """The text with the new name where the distribution names itself, or one of its extras."""
    text = text.replace(f'name = "{NAME}"', f'name = "{DIST_NAME}"')
    return re.sub(rf"\b{re.escape(NAME)}(?=\[)", DIST_NAME, text)


class RenamedDistribution(Distribution):
    """Has the new name, and extras that refer to it."""

    def parse_config_files(self, *args, **kwargs):
        super().parse_config_files(*args, **kwargs)
        self.metadata.name = DIST_NAME
        for extras in (self.extras_require, getattr(self.metadata, "extras_require", None)):
            for extra, requirements in (extras or {}).items():
                extras[extra] = [renamed(str(each)) for each in requirements]


class RenamedSdist(sdist):
    """Writes the name into the archive: whoever builds from it has no ``DIST_NAME``."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        target = Path(base_dir, "pyproject.toml")
        text = renamed(target.read_text(encoding="utf-8"))
        target.unlink()  # it may be a hard link to the source
        target.write_text(text, encoding="utf-8")


if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", DIST_NAME):
    raise SystemExit(f"DIST_NAME={DIST_NAME!r} is no name of a distribution: letters, digits, '-'.")

options = {}
if DIST_NAME != NAME:
    options = {"distclass": RenamedDistribution, "cmdclass": {"sdist": RenamedSdist}}

# ``license = "MIT"`` in pyproject.toml needs setuptools 77, which needs Python 3.9, and its older
# spelling is on its way out. This one works in all. Goes with Python 3.8.
setup(license="MIT", **options)
