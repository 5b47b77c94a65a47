"""The engine of a project whose hosts share no disk, as docs/hosts.md has it."""

from smart_storages.queued.engines import CeleryEngine


class CeleryOnThisHost(CeleryEngine):
    on_this_host = True
