"""What storages made of storages share: one list of the Storage API, references, locks.

A dispatcher, fallback, mirror, wrapper or queue comes in with references to its parts; calls on
those parts go out. This room may not know S3, nor which public storage uses it.
"""
