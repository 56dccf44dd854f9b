"""Turns what was read into JSON.

Texts, numbers and lists are themselves. Everything else is an object with one of the
keys dict, call, delta, moment, relative, name, task or unknown."""

import datetime
import math
import re

import values as v

MARKS = re.compile(v.MARK + r"\w+")
MAX_DEPTH = 60


class Printer:
    def __init__(self, reader):
        self.reader = reader
        self.kept = [d for d in reader.dags if d.kept]
        self.groups = [g for g in reader.groups if g.dag in self.kept]
        self.tasks = [t for t in reader.tasks if t.dag in self.kept]
        self.numbers = {id(x): i for all in (self.kept, self.groups, self.tasks) for i, x in enumerate(all)}

    def result(self):
        return {
            "dags": [self.made(d) for d in self.kept],
            "groups": [dict(self.made(g), dag=self.number(g.dag), parent=self.number(g.parent)) for g in self.groups],
            "tasks": [self.task(t) for t in self.tasks],
            "edges": [e for e in map(self.edge, self.reader.edges) if e],
            "notes": self.reader.notes,
        }

    def number(self, x):
        return -1 if x is None else self.numbers.get(id(x), -1)

    def made(self, x):
        return {"args": self.value(x.args), "kwargs": self.pairs(x.kwargs), "at": x.at}

    def task(self, t):
        return dict(self.made(t), **{"class": t.path, "dag": self.number(t.dag), "group": self.number(t.group)})

    def edge(self, edge):
        ends = [{"task" if isinstance(x, v.Task) else "group": self.number(x)} for x in edge]
        return None if any(-1 in e.values() for e in ends) else ends

    def pairs(self, d, depth=0):
        return [[self.value(k, depth), self.value(x, depth)] for k, x in d.items()]

    def value(self, x, depth=0):
        self.reader.budget.step()
        if depth > MAX_DEPTH:
            raise v.Stop("a value of the file is nested deeper than %d" % MAX_DEPTH)
        if isinstance(x, str):
            return self.text(x)
        if x is None or isinstance(x, (bool, int)):
            return x
        if isinstance(x, float):
            return x if math.isfinite(x) else str(x)
        if isinstance(x, (list, tuple, range)):
            return [self.value(e, depth + 1) for e in x]
        if isinstance(x, (set, frozenset)):
            return [self.value(e, depth + 1) for e in sorted(x, key=repr)]
        if isinstance(x, dict):
            return {"dict": self.pairs(x, depth + 1)}
        return self.object(x, depth + 1)

    def text(self, x):
        for mark in MARKS.findall(x):
            known = max((k for k in self.reader.marks if mark.startswith(k)), key=len, default=None)
            if known is not None:
                at, what = self.reader.marks[known]
                self.reader.say(at, "placeholder", what, known)
        self.reader.budget.check(len(x), v.MAX_TEXT)
        return x.encode("utf-8", "replace").decode("utf-8")

    def object(self, x, depth):
        if isinstance(x, datetime.timedelta):
            return {"delta": x // datetime.timedelta(microseconds=1)}
        if isinstance(x, v.Moment):
            return {"moment": x.wall.isoformat(timespec="seconds"), "zone": x.zone}
        if isinstance(x, v.Relative):
            return {"relative": x.offset // datetime.timedelta(seconds=1), "source": x.source, "at": x.at}
        if isinstance(x, v.Call):
            return {"call": x.path, "args": self.value(x.args, depth), "kwargs": self.pairs(x.kwargs, depth), "at": x.at}
        if isinstance(x, v.Ref):
            return {"name": x.path}
        if isinstance(x, v.Zone):
            return {"call": "pendulum.timezone", "args": [x.name], "kwargs": [], "at": ["", 0]}
        if isinstance(x, v.Task):
            return {"task": self.number(x)}
        if isinstance(x, v.Function):
            return {"name": x.node.name if hasattr(x.node, "name") else "lambda"}
        if isinstance(x, v.Instance) and "value" in x.names:
            return self.value(x.names["value"], depth)
        if isinstance(x, v.Unknown):
            return {"unknown": x.source, "why": x.why, "at": x.at}
        return {"unknown": type(x).__name__.lower(), "why": "", "at": ["", 0]}
