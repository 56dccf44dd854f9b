"""Finds and reads source files: plain files of a bounded size that no link leads to."""

import os
import stat

MAX_FILE = 1 << 20  # bytes
MAX_MODULES = 100


class Files:
    def __init__(self, file, roots):
        self.folders = [os.path.dirname(os.path.abspath(file))] + [os.path.abspath(r) for r in roots]
        self.read = 0
        self.found = {}

    def source(self, path):
        """The bytes of a file; ValueError says why there are none."""
        self.read += 1
        if self.read > MAX_MODULES:
            raise ValueError("more than %d files are imported" % MAX_MODULES)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
        except OSError as e:
            raise ValueError(e.strerror) from None
        with os.fdopen(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ValueError("it is not a plain file")
            content = f.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise ValueError("it is larger than %d bytes" % MAX_FILE)
        if b"\0" in content:
            raise ValueError("it has NUL bytes")
        return content

    def find(self, dotted, level, importer):
        """The path of a module that stands beside a file or below a root, or None."""
        key = (dotted, level, os.path.dirname(importer))
        if key not in self.found:
            self.found[key] = self.look(dotted, level, importer) if len(self.found) < 10_000 else None
        return self.found[key]

    def look(self, dotted, level, importer):
        parts = dotted.split(".") if dotted else []
        if not all(p.isidentifier() for p in parts) or len(parts) > 20 or not (parts or level):
            return None
        folders = self.folders
        if level:
            folder = os.path.dirname(os.path.abspath(importer))
            for _ in range(min(level, 20) - 1):
                folder = os.path.dirname(folder)
            folders = [folder]
        for folder in folders:
            for path in (os.path.join(folder, *parts) + ".py", os.path.join(folder, *parts, "__init__.py")):
                if self.is_inside(path) and os.path.isfile(path):
                    return path
        return None

    def is_inside(self, path):
        """Reports whether a path lies below one of the folders, and no link leads out of it."""
        real = os.path.realpath(path)
        return any(real == os.path.join(os.path.realpath(f), os.path.relpath(path, f)) and
                   not os.path.relpath(path, f).startswith("..") for f in self.folders)
