"""What the person who runs a project asks of its buckets: its management command.

Names of modules and aliases, and parsed arguments, come in; requests to S3, tables, JSON and exit
codes go out. This room may not read settings itself, nor show a secret, and nothing below may know
it.
"""

from __future__ import annotations
