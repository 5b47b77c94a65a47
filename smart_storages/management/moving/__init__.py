"""Copying everything that is in one storage to another, and comparing the two.

Two storages, of any kind, and a checkpoint come in; requests to their servers and a report go out.
Neither the listings nor the work grow in memory with the number of files. This room may not know
how a command is called, nor write for a person.
"""
