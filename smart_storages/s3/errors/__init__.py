"""What goes wrong, told in our own errors and without secrets.

Errors, answers and log lines of botocore and urllib3 come in; errors of
:mod:`smart_storages.exceptions` that are botocore's as well, and cleaned lines, go out. It may not
know what was asked.
"""
