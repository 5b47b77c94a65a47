"""Figures with their rivals beside them, from one run: ``python -m benchmarks [SUBJECT ...]``.

A subject is a module ``bench_<subject>.py`` with

* ``TITLE``, a sentence;
* ``run(context)``, which returns rows: dicts with ``case`` (what was done), ``who`` (by whom), and
  numbers whose names end with their unit, ``first_use_ms``; ``note`` adds a remark.

Rows of one case are compared with that of `OURS`. `harness.Context` measures in fresh processes.
"""

#: Who we are in the rows.
OURS = "smart-storages"
#: Whom most are compared with: ``S3Boto3Storage`` as django-storages ships it.
THEIRS = "django-storages"
#: What both stand on, used by hand: the least that a request can cost.
BOTO3 = "boto3"
