"""One client for each distinct connection, its credentials, and the sockets of direct requests.

A :class:`~smart_storages.s3.clients.pool.Connection` comes in; a shared botocore client goes out,
or a direct route to the same server. This room may not know what the requests are for.
"""
