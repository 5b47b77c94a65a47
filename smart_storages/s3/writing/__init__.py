"""Writing an object whole or not at all: one PUT, or parts in parallel.

A target, a key and content come in; what S3 says about the finished object goes out. It may not
know file names, locations or settings: those are resolved before.
"""
