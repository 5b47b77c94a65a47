"""Benchmarks against django-storages and boto3, in one run: ``python -m benchmarks [SUBJECT ...]``.

A subject is a module ``bench_<subject>.py`` with

* ``TITLE``, a sentence;
* ``run(context)``, which returns rows: dicts with ``case`` (what was measured), ``who`` (with which
  library), and numbers whose names end with their unit, such as ``first_use_ms``; ``note`` adds a
  remark.

The rows of a case are compared with that of `OURS`. `harness.Context` measures in fresh processes.
"""

#: The name of this package in the rows.
OURS = "smart-storages"
#: The main comparison: ``S3Boto3Storage`` as django-storages ships it.
THEIRS = "django-storages"
#: boto3 used directly, on which both are built: the least that a request can cost with it.
BOTO3 = "boto3"
#: A client written in Rust, with Python functions.
OBSTORE = "obstore"
#: Requests that were signed before, over a kept connection.
BARE = "bare HTTP"
