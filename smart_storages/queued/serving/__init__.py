"""Serving local copies under signed URLs that expire, until the remote's own URL takes over.

A storage and a name come in, later a request with a token; URLs and responses go out. It may not
know how a local copy was written, and changes nothing.
"""
