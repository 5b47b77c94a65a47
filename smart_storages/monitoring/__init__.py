"""What happens in the storages of a project, for those who watch it.

Finished operations come in, from :data:`smart_storages.signals.storage_operation` and the recorder;
metrics, spans and a panel of the debug toolbar go out. Settings come in too, and go out to Django's
debug page without their secrets. Each module is for one tool, and is imported only where that is
used. They may not change what an operation does, and no other room of the package may know them:
``smart_storages.apps`` gives Django the path of what it is to use.
"""
