"""The S3 engine: clients, signing, reading, writing, copying and bulk requests.

A :class:`~smart_storages.s3.target.Target` comes in: one bucket, and how to reach it. HTTP requests
go out, and values or errors of this package come back. The engine may not know Django's settings,
modules or storages; the only part of the configuration that it uses is the table of providers.
"""
