"""Servers the tests talk to: moto's S3 mock, Ceph's S3 gateway, and a proxy that watches."""

from tests.servers.base import S3Server, free_port
from tests.servers.ceph import CephGateway, CephUnavailableError, ceph_available
from tests.servers.moto import MotoServer
from tests.servers.proxy import S3Proxy
from tests.servers.relay import Exchange, Fault

__all__ = [
    "CephGateway",
    "CephUnavailableError",
    "Exchange",
    "Fault",
    "MotoServer",
    "S3Proxy",
    "S3Server",
    "ceph_available",
    "free_port",
]
