"""Signature Version 4 for URLs and browser uploads, held equal to botocore's by property tests.

Credentials, a place and a time come in; signed URLs, headers and form fields go out. It makes no
request, and may not know who sends what it signs.
"""
