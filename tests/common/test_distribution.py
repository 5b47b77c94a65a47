"""Whether the imported package is the one that was installed is seen from what lies on the disk."""

from __future__ import annotations

import json
from importlib.metadata import distributions

import pytest

import smart_storages
from smart_storages.checks import installation
from smart_storages.checks.installation import check_installation
from smart_storages.common.distribution import describe_conflicts, find_claims

OURS = smart_storages.__version__


class Site:
    """A directory of installed packages."""

    def __init__(self, path):
        self.path = path

    @property
    def package(self):
        return self.path / "smart_storages"

    def install(self, name, version, files=True, top=True, editable_of=None):
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(
            "smart_storages/__init__.py,sha256=x,1\n" if files else "__editable__.pth,,\n"
        )
        if top:
            (info / "top_level.txt").write_text("smart_storages\n")
        if editable_of:
            origin = {"url": editable_of.as_uri(), "dir_info": {"editable": True}}
            (info / "direct_url.json").write_text(json.dumps(origin))

    def leave_egg_info(self, version):
        info = self.path / "django_smart_storages.egg-info"
        info.mkdir(parents=True)
        (info / "PKG-INFO").write_text(f"Name: django-smart-storages\nVersion: {version}\n")
        (info / "top_level.txt").write_text("smart_storages\n")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")


@pytest.fixture
def checkout(tmp_path):
    return Site(tmp_path / "check out")


def problems(package, *sites):
    found = distributions(path=[str(site.path) for site in sites])
    return describe_conflicts(find_claims(found), package, OURS)


def test_a_wheel_is_itself_under_any_name(site):
    site.install("acme-storages", OURS)
    site.install("another-thing", "3.0", files=False, top=False)
    assert problems(site.package, site) == []


def test_a_wheel_of_another_build_backend_has_no_top_level(site):
    site.install("acme-storages", "2.0", top=False)
    assert len(problems(site.package, site)) == 1


def test_an_editable_installation_may_be_of_an_older_version(site, checkout):
    site.install("django-smart-storages", "0.1.0", files=False, editable_of=checkout.path)
    checkout.leave_egg_info("0.0.9")
    assert problems(checkout.package, checkout, site) == []
    assert problems(checkout.package, site) == []


def test_a_checkout_that_nobody_installed_is_fine(site, checkout):
    assert problems(checkout.package, checkout, site) == []
    checkout.leave_egg_info("0.0.9")
    assert problems(checkout.package, checkout, site) == []


def test_a_checkout_before_the_same_version_is_fine(site, checkout):
    site.install("django-smart-storages", OURS)
    assert problems(checkout.package, checkout, site) == []


def test_a_checkout_before_another_project_is_told(site, checkout):
    site.install("django-smart-storages", "0.1.0")
    (text,) = problems(checkout.package, checkout, site)
    assert str(checkout.package) in text
    assert f"django-smart-storages 0.1.0 in {site.package}" in text


def test_files_that_are_not_those_of_the_distribution_are_told(site):
    site.install("django-smart-storages", "0.1.0")
    (text,) = problems(site.package, site)
    assert f"version {OURS}" in text
    assert "django-smart-storages 0.1.0" in text


def test_two_projects_in_one_directory_are_told(site):
    site.install("django-smart-storages", "0.1.0")
    site.install("acme-storages", OURS)
    (text,) = problems(site.package, site)
    assert f"acme-storages {OURS}" in text
    assert "django-smart-storages 0.1.0" in text
    assert "one has overwritten files of the other" in text


def test_what_a_broken_installation_left_is_passed_over(site):
    site.install("django-smart-storages", "0.1.0")
    next(site.path.glob("*.dist-info")).joinpath("METADATA").unlink()
    assert problems(site.package, site) == []


def test_a_direct_url_that_is_no_json_is_passed_over(site):
    site.install("django-smart-storages", OURS)
    next(site.path.glob("*.dist-info")).joinpath("direct_url.json").write_text("{")
    assert problems(site.package, site) == []


def test_check_tells_of_what_is_found(monkeypatch, site):
    site.install("django-smart-storages", "0.1.0")
    found = find_claims(distributions(path=[str(site.path)]))
    monkeypatch.setattr(installation, "find_claims", lambda: found)
    (message,) = check_installation()
    assert message.id == "smart_storages.W011"
    assert "Another project has this name" in message.hint


def test_the_version_is_after_that_of_the_other_project():
    assert smart_storages.__version__.startswith("1.")
