"""What the person who runs a project asks of its buckets: the management commands.

Names of modules and aliases, and parsed arguments, come in; requests to S3, tables, JSON and exit
codes go out. This room may not read settings itself, nor show a secret, and nothing below may know
it. ``commands`` holds what Django finds; its arguments and work are in ``subcommands``.
"""

from __future__ import annotations
