"""One attempt at a file: claimed, uploaded, verified, recorded, and only then deleted locally.

The id of a row comes in from an engine; the remote copy and writes to the ledger go out. It may
not know how the message reached the worker; see :mod:`smart_storages.queued.engines`.
"""
