"""obstore (a client written in Rust) and bare HTTP, as contenders beside boto3.

Bare HTTP sends requests that were signed before over one kept connection, and looks at the status
alone: no client can cost less. ``sendfile`` sends a file to it.
"""

from __future__ import annotations

import http.client
import importlib.util
from pathlib import Path
from typing import Any, Dict, Tuple
from urllib.parse import urlsplit

from benchmarks import BARE, OBSTORE

__all__ = ["BareBucket", "ObstoreBucket", "further_contenders", "make_further"]


def further_contenders() -> Tuple[str, ...]:
    """The contenders of this module that can run here; obstore has no build for every Python."""
    return (OBSTORE, BARE) if importlib.util.find_spec("obstore") else (BARE,)


def make_further(client: Any, bucket: str) -> Dict[str, Any]:
    """Return the contenders of this module for one bucket, by name.

    Args:
        client: A boto3 client, whose endpoint and credentials are used.
        bucket: Name of the bucket.
    """
    made = {OBSTORE: ObstoreBucket, BARE: BareBucket}
    return {who: made[who](client, bucket) for who in further_contenders()}


class ObstoreBucket:
    """What the benchmarks do, by obstore's synchronous functions."""

    def __init__(self, client: Any, bucket: str) -> None:
        import obstore
        from obstore.store import S3Store

        keys = client._request_signer._credentials
        endpoint = client.meta.endpoint_url
        self._functions = obstore
        self._store = S3Store(
            bucket,
            endpoint=endpoint,
            access_key_id=keys.access_key,
            secret_access_key=keys.secret_key,
            region=client.meta.region_name,
            virtual_hosted_style_request=False,
            client_options={"allow_http": endpoint.startswith("http:")},
        )

    def put(self, key: str, body: Any) -> None:
        self._functions.put(self._store, key, body)

    def put_new(self, key: str, body: bytes) -> None:
        try:
            self._functions.put(self._store, key, body, mode="create")
        except self._functions.exceptions.AlreadyExistsError:
            self._functions.put(self._store, f"{key}-other", body)

    def put_file(self, key: str, path: Path) -> None:
        self._functions.put(self._store, key, path)

    def get(self, key: str) -> Any:
        return memoryview(self._functions.get(self._store, key).bytes())

    def get_range(self, key: str, start: int, stop: int) -> Any:
        return memoryview(self._functions.get_range(self._store, key, start=start, end=stop))

    def chunks(self, key: str, size: int) -> Any:
        return self._functions.get(self._store, key).stream(min_chunk_size=size)

    def head(self, key: str) -> Any:
        return self._functions.head(self._store, key)

    def delete(self, key: str) -> None:
        self._functions.delete(self._store, key)


class BareBucket:
    """The same by requests that were signed once."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._urls: Dict[Tuple[str, str], str] = {}
        parts = urlsplit(client.meta.endpoint_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def _target(self, operation: str, key: str) -> str:
        try:
            return self._urls[operation, key]
        except KeyError:
            url = self._client.generate_presigned_url(
                operation, {"Bucket": self._bucket, "Key": key}
            )
            parts = urlsplit(url)
            target = self._urls[operation, key] = f"{parts.path}?{parts.query}"
            return target

    def _request(
        self, method: str, operation: str, key: str, body: Any = None, **headers: str
    ) -> Any:
        target = self._target(operation, key)
        self._connection.request(method, target, body, headers)
        answer = self._connection.getresponse()
        if answer.status >= 300 and answer.status not in (404, 412):
            raise RuntimeError(f"{method} of {key}: {answer.status}")
        return answer

    def put(self, key: str, body: Any) -> None:
        self._request("PUT", "put_object", key, body).read()

    def put_new(self, key: str, body: bytes) -> None:
        headers = {"If-None-Match": "*"}
        answer = self._request("PUT", "put_object", key, body, **headers)
        answer.read()
        if answer.status == 412:
            self.put(f"{key}-other", body)

    def put_file(self, key: str, path: Path) -> None:
        connection = self._connection
        connection.putrequest("PUT", self._target("put_object", key))
        connection.putheader("Content-Length", str(path.stat().st_size))
        connection.endheaders()
        with path.open("rb") as file:
            connection.sock.sendfile(file)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"PUT of {key}: {answer.status}")

    def get(self, key: str) -> bytes:
        answer = self._request("GET", "get_object", key)
        data: bytes = answer.read()
        return data

    def get_range(self, key: str, start: int, stop: int) -> bytes:
        wanted = {"Range": f"bytes={start}-{stop - 1}"}
        data: bytes = self._request("GET", "get_object", key, **wanted).read()
        return data

    def chunks(self, key: str, size: int) -> Any:
        answer = self._request("GET", "get_object", key)
        buffer = memoryview(bytearray(size))
        while count := answer.readinto(buffer):
            yield buffer[:count]

    def head(self, key: str) -> Any:
        answer = self._request("HEAD", "head_object", key)
        answer.read()
        return answer

    def delete(self, key: str) -> None:
        self._request("DELETE", "delete_object", key).read()
