"""Serves the files of modules that are not in S3: those in a directory, and those in memory.

A request with a signed URL comes in, the content of a file goes out. It knows the stores and the
settings; it may not know storages, and it changes nothing.
"""
