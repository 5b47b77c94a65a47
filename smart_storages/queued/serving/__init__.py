"""Local copies given out under signed URLs that end, until the remote's own URL takes over.

A storage and a name come in, later a request with a token; URLs and responses go out. It may not
know how a copy came to be, and changes nothing.
"""
