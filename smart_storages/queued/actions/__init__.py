"""What the application and the operator ask of the queue: save, delete, transfer, retry, sweep.

Names and content come in from the storages, rows from the command and the admin; local copies,
writes to the ledger and messages to an engine go out. It may not know how a transfer works.
"""
