"""Reads Python DAG files without importing or running anything of them, and prints which
DAGs, tasks and dependencies they would make: a line of JSON for each file, in their order.

    python3 -I -S -B FOLDER <<<'{"files": [FILE, …], "roots": [FOLDER, …]}'

Modules that a file imports are looked for beside it and below the roots, and read in the
same way. The bounds are in values.py; the one who starts this has a deadline, too."""

import sys

if sys.version_info < (3, 9):
    sys.exit("python3 is %d.%d; reading DAG files needs 3.9 or later" % sys.version_info[:2])

import json

from evaluate import Reader
from printing import Printer
from values import Stop


def bound_memory():
    """Keeps the process small where the system can do that."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass


def read(file, roots):
    reader = Reader(file, roots)
    try:
        reader.read()
        return Printer(reader).result()
    except Stop as stop:
        return {"error": str(stop), "at": [reader.file, reader.line]}
    except (RecursionError, MemoryError):
        return {"error": "the file is nested too deeply or is too large", "at": [reader.file, reader.line]}


def main():
    bound_memory()
    sys.setrecursionlimit(4000)
    wanted = json.load(sys.stdin)
    for file in wanted["files"]:
        print(json.dumps(read(file, wanted["roots"])), flush=True)


main()
