"""Holding what rows name against what buckets hold: missing files, and objects nobody names.

The models' file fields and the storages behind them come in; findings go out, and on request
objects go to a trash prefix and back. Memory does not grow with the tables or the buckets: what
has to be kept goes into a temporary SQLite file. This room may not know how a command is called.
"""
