"""Runs one measured function in this process: ``python -m benchmarks.child MODULE FUNCTION JSON``.

It imports neither the project nor its dependencies, because the cost of imports is measured too.
"""

import importlib
import json
import sys

if __name__ == "__main__":
    module, function, arguments = sys.argv[1:]
    measured = getattr(importlib.import_module(module), function)
    print(json.dumps(measured(**json.loads(arguments))))
