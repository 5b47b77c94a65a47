"""Turns errors of botocore and urllib3 into this package's own, and removes secrets from them.

Errors, answers and log records of botocore and urllib3 come in; errors of
:mod:`smart_storages.exceptions`, which can be caught as botocore's as well, and redacted records go
out. It may not know what the requests were for.
"""
