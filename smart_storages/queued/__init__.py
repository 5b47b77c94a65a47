"""Save locally now, transfer in the background, lose nothing. An optional Django app.

Add ``"smart_storages.queued"`` to ``INSTALLED_APPS`` and run ``migrate``. Saves, deletes and reads
come in through :mod:`.backends`; local copies, rows of the ledger, messages to an engine and
finally remote copies go out. It may not know the checks, nor the composed storages that contain a
queue.

The modules ``backends``, ``fields``, ``tasks``, ``engines`` and ``urls`` are public. The rooms are
``actions`` (what the application and the operator ask for), ``transfer`` (one attempt), ``ledger``
(the record) and ``serving`` (local copies under signed URLs).
"""
