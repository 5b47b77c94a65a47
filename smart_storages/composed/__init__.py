"""What storages built from other storages share: one list of the Storage API, references, locks.

A dispatcher, fallback, mirror, wrapper or queue passes in references to the storages that it uses;
calls on those storages go out. This room may not know about S3, nor which public storage uses it.
"""
