"""Everything is in pyproject.toml, save what setuptools spells differently by version.

``DIST_NAME`` in the environment builds the same package as a distribution of that name.
"""

import gzip
import io
import os
import re
import tarfile
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


class Sdist(sdist):
    """Writes the name into the archive: whoever builds from it has no ``DIST_NAME``.

    With ``SOURCE_DATE_EPOCH`` two builds of one commit are the same archive, byte for byte. Wheels
    are so by themselves.
    """

    def make_distribution(self):
        super().make_distribution()
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        for archive in self.archive_files if epoch else ():
            pack_again(Path(archive), int(epoch))

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        if DIST_NAME == NAME:
            return
        target = Path(base_dir, "pyproject.toml")
        text = renamed(target.read_text(encoding="utf-8"))
        target.unlink()  # it may be a hard link to the source
        target.write_text(text, encoding="utf-8")


def pack_again(archive, epoch):
    """Write a .tar.gz in the order of names, without times, owners and the rights of a checkout."""
    with tarfile.open(archive) as tar:
        files = [
            (each, tar.extractfile(each).read() if each.isfile() else None)
            for each in sorted(tar.getmembers(), key=lambda member: member.name)
        ]
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member, content in files:
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            tar.addfile(member, content if content is None else io.BytesIO(content))
    with open(archive, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=epoch) as packed:
        packed.write(written.getvalue())


if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", DIST_NAME):
    raise SystemExit(f"DIST_NAME={DIST_NAME!r} is no name of a distribution: letters, digits, '-'.")

options = {"cmdclass": {"sdist": Sdist}}
if DIST_NAME != NAME:
    options["distclass"] = RenamedDistribution

# ``license = "MIT"`` in pyproject.toml needs setuptools 77, which needs Python 3.9, and its older
# spelling is on its way out. This one works in all. Goes with Python 3.8.
setup(license="MIT", **options)
