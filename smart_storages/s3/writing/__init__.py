"""Writing an object whole or not at all: one PUT, or parts in parallel.

A target, a key and content come in; what S3 says of the finished object goes out. It may not know
names, locations or settings: those were resolved before.
"""
