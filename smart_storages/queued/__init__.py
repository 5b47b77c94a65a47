"""Save locally now, transfer in the background, lose nothing. An optional Django app.

Add ``"smart_storages.queued"`` to ``INSTALLED_APPS`` and run ``migrate``.

::

    backends.py   the storages a project uses        fields.py    the field with .transfer()
    recording.py  what the application writes        models.py    the ledger's tables
    ledger.py     what workers and sweeps write      queries.py   what is asked of the ledger
    carrier.py    one attempt, from claim to record  tasks.py     what a project may subclass
    copies.py     local copies, checksums, checks    engines.py   Celery, django.tasks, inline
    sweeper.py    what cron repairs                  registry.py  which storage a row belongs to
"""
