"""Reading one version of one object: on demand, with seek, and across lost connections.

A target and a key come in; file-like objects go out. It may not know how anything is written.
"""
