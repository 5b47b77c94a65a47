"""Management commands: they parse the arguments and call the room `operating`."""
