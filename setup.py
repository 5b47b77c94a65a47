"""Everything is in pyproject.toml, save what setuptools spells differently by version."""

from setuptools import setup

# ``license = "MIT"`` in pyproject.toml needs setuptools 77, which needs Python 3.9, and its older
# spelling is on its way out. This one works in all. Goes with Python 3.8.
setup(license="MIT")
