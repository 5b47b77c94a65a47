"""What is added to the example site can be taken away again, with its files."""

from __future__ import annotations

from typing import Any, Dict, Tuple
from urllib.parse import urljoin

import pytest

from tests.example.test_darkroom import link_of, picture, scans, send

CSV, TEXT, PDF = b"a,b\n", b"Seen off the mole.\n", b"%PDF-1.4\n%%EOF\n"
UPLOADS: Dict[str, Tuple[str, Dict[str, str], Dict[str, Any]]] = {
    "report": ("/reports/", {"tenant": "1", "title": "Gone"}, {"upload": ("gone.csv", CSV)}),
    "bulletin": ("/wires/", {"region": "eu", "title": "Gone"}, {"upload": ("gone.txt", TEXT)}),
    "person": (
        "/people/",
        {"name": "G. Gone", "role": "Guest"},
        {"avatar": ("gone.jpg", None), "press_card": ("gone.pdf", PDF)},
    ),
    "article": (
        "/",
        {"headline": "Gone by noon", "standfirst": "It was here."},
        {"image": ("gone.jpg", None), "source": ("gone.txt", TEXT)},
    ),
}


def confirm(visitor: Any, address: str) -> Any:
    """Answer the question of the page at an address with yes."""
    page = visitor.read(address)
    return visitor._ask("POST", page.url, fields={"csrfmiddlewaretoken": page.token})


def text_of(visitor: Any, address: str) -> str:
    return visitor._ask("GET", urljoin(visitor.site, address)).data.decode()


@pytest.mark.parametrize("kind", UPLOADS)
def test_a_row_goes_with_its_files(visitor: Any, kind: str) -> None:
    address, fields, files = UPLOADS[kind]
    given = {name: (file, body or picture()) for name, (file, body) in files.items()}
    stored = list(visitor.upload(address, fields, given).values())
    pk = stored[0].handle.split("-")[1]
    if kind == "article":
        story, attached = f"/stories/{pk}/", {"attachment": ("gone.csv", CSV)}
        stored += visitor.upload(story, {}, attached).values()
    assert [visitor.fetch(file.url)[0] for file in stored] == [200] * len(stored)
    assert f'href="/delete/{kind}/{pk}/"' in text_of(
        visitor, f"/stories/{pk}/" if kind == "article" else address
    )

    answer = confirm(visitor, f"/delete/{kind}/{pk}/")
    assert (answer.status, answer.headers["Location"]) == (302, address)
    assert [visitor.fetch(file.url)[0] for file in stored] == [404] * len(stored)
    assert f'href="/delete/{kind}/{pk}/"' not in text_of(visitor, address)
    assert visitor._ask("GET", urljoin(visitor.site, f"/delete/{kind}/{pk}/")).status == 404


def test_an_attachment_goes_and_its_story_stays(visitor: Any) -> None:
    [stored] = visitor.upload("/stories/2/", {}, {"attachment": ("gone.csv", CSV)}).values()
    address = f"/delete/attachment/{stored.handle.split('-')[1]}/"
    assert f'href="{address}"' in text_of(visitor, "/stories/2/")
    assert confirm(visitor, address).headers["Location"] == "/stories/2/"
    assert visitor.fetch(stored.url)[0] == 404
    assert stored.handle not in visitor.read("/stories/2/").files


def test_a_file_on_the_disk_goes_and_none_of_production(visitor: Any) -> None:
    visitor.upload("/development/", {}, {"upload": ("gone.txt", TEXT)})
    assert 'href="/development/delete/gone.txt"' in text_of(visitor, "/development/")
    confirm(visitor, "/development/delete/gone.txt")
    files = visitor.read("/development/").files
    assert "development-gone.txt" not in files
    assert "development-harbour-rules.pdf" in files
    rules = urljoin(visitor.site, "/development/delete/harbour-rules.pdf")
    assert visitor._ask("GET", rules).status == 404
    assert 'href="/development/delete/harbour-rules.pdf"' not in text_of(visitor, "/development/")


def test_a_scan_goes_wherever_it_is(visitor: Any) -> None:
    send(visitor, "Gone")
    scan = scans(visitor)["Gone"]
    link = link_of(visitor, scan)
    assert visitor.fetch(link)[0] == 200
    assert f'href="/darkroom/{scan["id"]}/delete"' in text_of(visitor, "/darkroom/")
    assert confirm(visitor, f"/darkroom/{scan['id']}/delete").status == 302
    assert "Gone" not in scans(visitor)
    assert visitor.fetch(link)[0] == 404


def test_without_javascript_the_darkroom_says_to_load_it_again(visitor: Any) -> None:
    send(visitor, "Still")
    text = text_of(visitor, "/darkroom/")
    hint = text.partition("<noscript>")[2].partition("</noscript>")[0]
    assert 'href="/darkroom/"' in hint
    assert "load the page again" in hint


def test_deleting_asks_first_and_needs_the_token(visitor: Any) -> None:
    assert visitor.http.request("POST", visitor.site + "delete/person/1/").status == 403
    assert visitor._ask("GET", visitor.site + "delete/tenant/1/").status == 404
    assert "cannot be undone" in text_of(visitor, "/delete/person/1/")
    assert 'href="/delete/person/1/"' in text_of(visitor, "/people/")
