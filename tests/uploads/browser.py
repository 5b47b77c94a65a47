"""What the script in a page does: begin, PUT the parts to the bucket, finish."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from typing import Any, Dict, List, Optional

from django.test import Client


def put(url: str, body: bytes, headers: Optional[Dict[str, str]] = None) -> int:
    """PUT bytes, and return the status of the answer."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method="PUT")
    request.add_unredirected_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


class Browser:
    """A browser with cookies of its own.

    Args:
        user: Who is logged in, nobody if ``None``.
    """

    def __init__(self, user: Any = None, **kwargs: Any) -> None:
        self.client = Client(enforce_csrf_checks=True, **kwargs)
        if user is not None:
            self.client.force_login(user)
        self.client.cookies["csrftoken"] = self.csrf = "a" * 32

    def ask(self, action: str, data: Any, **headers: Any) -> Any:
        headers.setdefault("HTTP_X_CSRFTOKEN", self.csrf)
        return self.client.post(
            f"/uploads/{action}", json.dumps(data), content_type="application/json", **headers
        )

    def begin(
        self, content: bytes, name: str = "film.mp4", field: str = "uploads_tests.Film.video"
    ) -> Any:
        return self.ask("begin", {"field": field, "name": name, "size": len(content)})

    def send(self, token: str, content: bytes, begun: Any, numbers: Any = None) -> List[int]:
        size = begun["partSize"]
        parts = [
            {"number": number + 1, "body": content[number * size : (number + 1) * size]}
            for number in range(begun["parts"])
            if numbers is None or number + 1 in numbers
        ]
        asked = []
        for part in parts:
            one = {"number": part["number"]}
            if begun["sha256"]:
                digest = hashlib.sha256(part["body"]).digest()
                one["sha256"] = base64.b64encode(digest).decode()
            asked.append(one)
        signed = self.ask("sign", {"token": token, "parts": asked})
        assert signed.status_code == 200, signed.content
        return [self.put(each, part["body"]) for each, part in zip(signed.json()["parts"], parts)]

    def put(self, signed: Dict[str, Any], body: bytes) -> int:
        if signed["url"].startswith("/"):  # a backend that Django serves itself
            answer = self.client.put(
                signed["url"],
                body,
                content_type="",
                **{
                    "HTTP_" + name.upper().replace("-", "_"): value
                    for name, value in signed["headers"].items()
                },
            )
            return int(answer.status_code)
        return put(signed["url"], body, signed["headers"])

    def upload(
        self,
        content: bytes,
        name: str = "film.mp4",
        field: str = "uploads_tests.Film.video",
        finish: bool = True,
    ) -> str:
        """Upload a whole file, and return its token."""
        begun = self.begin(content, name, field)
        assert begun.status_code == 201, begun.content
        token: str = begun.json()["token"]
        assert set(self.send(token, content, begun.json())) <= {200, 201, 204}
        if finish:
            finished = self.ask("finish", {"token": token})
            assert finished.status_code == 200, finished.content
            assert finished.json() == {"name": name, "size": len(content)}
        return token

    def submit(self, page: str, **fields: Any) -> Any:
        return self.client.post(page, {"csrfmiddlewaretoken": self.csrf, **fields})
