"""What the demo uploads: stories, people, reports and bulletins of a fictional harbour.

The pictures in ``pictures/`` and the film in ``films/`` were drawn for this example; the papers are
generated here.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Tuple

PICTURES = Path(__file__).parent / "pictures"
FILMS = Path(__file__).parent / "films"


@dataclass(frozen=True)
class Upload:
    """One form, filled in: the page it is on, its fields, and its files by field name."""

    page: str
    fields: Dict[str, str]
    files: Dict[str, Tuple[str, bytes]] = field(default_factory=dict)


def uploads() -> List[Upload]:
    """Return all uploads, in the order in which a visitor would make them."""
    return [*stories(), *attachments(), *videos(), *reports(), *bulletins(), *people()]


def stories() -> List[Upload]:
    regatta, port, light = picture("regatta"), picture("container-port"), picture("lighthouse")
    return [
        Upload(
            "/",
            {
                "headline": "Eleven minutes of wind decide the regatta",
                "standfirst": "Number 14 found the only breeze in the bay and kept it to herself.",
                "body": "Until four o’clock nobody had moved. Then a dark line came in from the "
                "west, and one crew had seen it coming.\n\nThe rest of the fleet finished by "
                "lamplight.",
                "image_alt": "Sailing boats in a fresh breeze, number 14 ahead of the rest.",
            },
            {"image": regatta},
        ),
        Upload(
            "/",
            {
                "headline": "Night shift at berth nine",
                "standfirst": "Three cranes, 840 containers and a tide that will not wait.",
                "body": "The Amalia has to be gone by six. At berth nine they count backwards "
                "from there.\n\n“Nobody thanks a crane,” says the foreman. “They notice one "
                "that stands still.”",
                "image_alt": "A loaded container ship under three cranes at dusk.",
            },
            {
                "image": port,
                "source": (
                    "berth-nine-interview.pdf",
                    pdf(
                        "Interview, berth nine",
                        "Recorded on the quay. Names withheld on request.",
                        "Q: What would the public not believe?",
                        "A: How quiet it is. The loudest thing out here is the kettle.",
                    ),
                ),
            },
        ),
        Upload(
            "/",
            {
                "headline": "The old light turns again",
                "standfirst": "After nine dark winters the lamp on Gull Point is back, "
                "and the first ship to see it was late.",
                "body": "They lit it at half past five, an hour before the sun made it "
                "unnecessary. Forty people had walked out along the mole to watch.\n\nThe lens "
                "is the old one, ground in 1874 and kept in straw for a decade. The lamp "
                "behind it uses less power than a kettle.\n\n“You do not repair a lighthouse "
                "for the ships,” said the keeper’s granddaughter. “They have satellites. You "
                "repair it for the people who look up.”",
                "image_alt": "A red and white lighthouse at dawn, its beam over a calm bay.",
            },
            {
                "image": light,
                "source": (
                    "keeper-letter.pdf",
                    pdf(
                        "Letter from the keeper’s family",
                        "For background only. Not to be quoted without a call first.",
                        "The lens was never sold. It stood in our barn, under the winter hay,",
                        "and every spring my grandfather turned it once so it would not forget.",
                    ),
                ),
                "kit": ("gull-point-press-kit.zip", kit(light)),
            },
        ),
    ]


def attachments() -> List[Upload]:
    """Two for the same story: one below the limit of the settings, one above."""
    note = pdf("Visitors on Sundays", "The stairs are narrow: twelve people at a time.")
    tides = ("gull-point-tides.csv", tide_table(days=600))
    return [
        Upload("/stories/3/", {}, {"attachment": ("visitors.pdf", note)}),
        Upload("/stories/3/", {}, {"attachment": tides}),
    ]


def videos() -> List[Upload]:
    """One, of the same story; a form without JavaScript takes it too."""
    return [Upload("/stories/3/", {}, {"video": film("gull-point-light")})]


def production_papers() -> Dict[str, bytes]:
    """What production holds before anybody develops."""
    return {
        "harbour-rules.pdf": pdf("Harbour rules", "No anchor within a cable of the light."),
        "berths.csv": table(7),
    }


def draft() -> Upload:
    """What a developer writes beside them."""
    return Upload("/development/", {}, {"upload": ("draft-rules.txt", text("NEW RULES", "One."))})


def reports() -> List[Upload]:
    # Primary keys of the tenants, in the order of migration 0002.
    beacon, gull, tidewater, skerries = "1", "2", "3", "4"
    return [
        report(beacon, "Readers by district, third quarter", "readers.csv", 1),
        report(gull, "Readers by district, third quarter", "readers.csv", 2),
        report(tidewater, "What the front page sold", "front-page.csv", 3),
        report(skerries, "Copies by ferry", "ferry.csv", 4),
    ]


def report(tenant: str, title: str, filename: str, seed: int) -> Upload:
    return Upload(
        "/reports/", {"tenant": tenant, "title": title}, {"upload": (filename, table(seed))}
    )


def bulletins() -> List[Upload]:
    return [
        Upload(
            "/wires/",
            {"region": "eu", "title": "Gale warning, Gull Point to the Skerries"},
            {"upload": ("gale-warning.txt", text("GALE WARNING", "South-west 8, later 9."))},
        ),
        Upload(
            "/wires/",
            {"region": "us", "title": "Amalia expected on Thursday"},
            {"upload": ("arrivals.txt", text("ARRIVALS", "MV Amalia, pier 4, Thursday 06:00."))},
        ),
    ]


def people() -> List[Upload]:
    return [
        person("Amara Quill", "Editor of the day", "amara", "press-card-quill.pdf"),
        person("Bram Loods", "Harbour correspondent", "bram", "press-card-loods.pdf"),
        person("Inês Farol", "Photographs", "ines"),
        person("Tomás Weir", "Data and tides", "tomas"),
    ]


def person(name: str, role: str, portrait: str, card: str = "") -> Upload:
    files = {"avatar": picture(f"avatar-{portrait}")}
    if card:
        lines = (f"Bearer: {name}", f"Role: {role}", "Valid in every berth, at every hour.")
        files["press_card"] = (card, pdf("The Harbour Press Office", *lines))
    return Upload("/people/", {"name": name, "role": role}, files)


def picture(name: str) -> Tuple[str, bytes]:
    path = PICTURES / f"{name}.jpg"
    return path.name, path.read_bytes()


def film(name: str) -> Tuple[str, bytes]:
    path = FILMS / f"{name}.webm"
    return path.name, path.read_bytes()


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def table(seed: int) -> bytes:
    """A CSV file that differs from tenant to tenant."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["district", "copies", "change"])
    for number, district in enumerate(("Quayside", "Old Town", "Gull Point", "Skerries"), 1):
        rows.writerow([district, 900 + 137 * number * seed, f"{(number * seed) % 7 - 3:+d}%"])
    return out.getvalue().encode()


def tide_table(days: int) -> bytes:
    """A CSV file of several hundred kilobytes."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["day", "hour", "centimetres"])
    for day in range(1, days + 1):
        for hour in range(24):
            height = 190 + 170 * math.cos(math.tau * (24 * day + hour) / 12.42)
            rows.writerow([f"day {day:03d}", f"{hour:02d}:00", f"{height:.1f}"])
    return out.getvalue().encode()


def kit(photo: Tuple[str, bytes]) -> bytes:
    """A ZIP file with the picture and a note on how to use it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(photo[0], photo[1])
        archive.writestr("READ-ME.txt", "Free to print with credit: The Harbour Press Office.\n")
    return out.getvalue()


def pdf(title: str, *lines: str) -> bytes:
    """One page of PDF (ISO 32000-1, 7.5): a title, a rule, and lines of text."""
    draw = ["BT /T 24 Tf 72 752 Td", _pdf_string(title), "Tj ET", "0.05 0.33 0.41 RG 2 w"]
    draw += ["72 738 m 523 738 l S", "BT /B 12 Tf 18 TL 72 706 Td"]
    draw += [f"{_pdf_string(line)} Tj T*" for line in lines]
    stream = "\n".join([*draw, "ET"]).encode("cp1252")
    font = b"<< /Type /Font /Subtype /Type1 /Encoding /WinAnsiEncoding /BaseFont /%b >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R %b >>"
        % b"/Resources << /Font << /T 5 0 R /B 6 0 R >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        font % b"Times-Bold",
        font % b"Helvetica",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    return out + b"startxref\n%d\n%%%%EOF\n" % start


def _pdf_string(line: str) -> str:
    for special in "\\()":
        line = line.replace(special, "\\" + special)
    return f"({line})"
