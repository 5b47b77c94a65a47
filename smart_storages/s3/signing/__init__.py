"""Signature Version 4 for URLs and browser uploads, held equal to botocore's by property tests.

Credentials, a bucket's address and a time come in; signed URLs and form fields go out. It sends no
request, and may not know any client except the one that its URLs are compared with.
"""
