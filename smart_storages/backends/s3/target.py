"""What the engine needs to know about a storage: one bucket, and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, NoReturn, Optional

from smart_storages.backends.s3.errors.translation import translate_error
from smart_storages.config.providers import CAUTIOUS, Provider

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """One bucket and how to reach it; the functions of the engine take one.

    Args:
        bucket: Name of the bucket.
        get_client: Returns the shared, thread-safe client. It is called for each operation: after
            a fork, or when the pool has dropped the client, there is a new one.
        module: Name of the module, for messages.
        provider: What the server does differently.
        read_parameters: Parameters of every GET and HEAD (``SSECustomerKey``, ``RequestPayer``).

    Example::

        target = Target("acme", lambda: client, module="media")
        target.client.head_object(Bucket=target.bucket, Key="a.txt")
    """

    bucket: str
    get_client: Callable[[], S3Client]
    module: Optional[str] = None
    provider: Provider = CAUTIOUS
    read_parameters: Dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def client(self) -> S3Client:
        """The shared client."""
        return self.get_client()

    def places(self, key: Optional[str] = None) -> Dict[str, Any]:
        """Return where an error happened, as keyword arguments of an ``S3Error``."""
        return {"module": self.module, "bucket": self.bucket, "key": key}

    def fail(
        self, error: BaseException, key: Optional[str] = None, *, head: bool = False
    ) -> NoReturn:
        """Raise this package's error for one of botocore or urllib3, which becomes its cause."""
        ours = translate_error(error, head=head, **self.places(key))
        if ours is error:
            raise error
        raise ours from error
