"""One request and its answer: sent directly over a kept connection where safe, else by botocore.

An operation and its parameters come in; an answer or an error goes out, after as many tries as
botocore would make. It may not know what the bytes are for: ``reading`` and ``writing`` do.
"""
