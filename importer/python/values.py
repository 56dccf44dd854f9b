"""The values of a DAG file's expressions, as far as they are known without running it.

Numbers, texts, lists, dictionaries and timedeltas are Python's own. Everything else is
one of the classes below; what is not known is an Unknown."""

import datetime
import re

MAX_STEPS = 400_000  # expressions and statements of one file
MAX_ROOM = 32 << 20  # characters and elements of one file, together
MAX_TEXT = 256 << 10  # characters of one text
MAX_ITEMS = 20_000  # elements of one list
MAX_BITS = 4096  # of one whole number
MARK = "CHANGE_ME_"  # begins what a person must fill in


class Stop(Exception):
    """The file asks for more than it may have."""


class Budget:
    """Charges a file for what it makes the reader do."""

    def __init__(self):
        self.steps = MAX_STEPS
        self.room = MAX_ROOM

    def step(self):
        self.steps -= 1
        if self.steps < 0:
            raise Stop("the file takes more than %d steps to evaluate" % MAX_STEPS)

    def check(self, size, most):
        """Refuses a value of a size before it is made."""
        if size > most:
            raise Stop("a value of the file is larger than %d" % most)
        self.room -= size
        if self.room < 0:
            raise Stop("the values of the file are larger than %d together" % MAX_ROOM)

    def charge(self, value):
        if isinstance(value, str):
            self.check(len(value), MAX_TEXT)
        elif isinstance(value, (list, tuple, dict, set)):
            self.check(len(value), MAX_ITEMS)
        elif isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise Stop("a number of the file has more than %d bits" % MAX_BITS)
        return value


class Record:
    """A value with named parts."""

    parts = ()

    def __init__(self, *values):
        for name, value in zip(self.parts, values):
            setattr(self, name, value)


class Ref(Record):
    """Something imported, by its full name: kubernetes.client.models.V1Volume."""

    parts = ("path",)


class Call(Record):
    """An object that a class or function of elsewhere makes."""

    parts = ("path", "args", "kwargs", "at")


class Unknown(Record):
    """What cannot be known without running the file."""

    parts = ("source", "at", "why")


class Zone(Record):
    """A time zone by its name."""

    parts = ("name",)


class Moment(Record):
    """A date and time as a clock shows it, and the zone of the clock ("" for none)."""

    parts = ("wall", "zone")


class Relative(Record):
    """A moment that lies an offset away from the day on which the file is read."""

    parts = ("offset", "source", "at")


class Dag(Record):
    """A DAG that the file makes."""

    parts = ("args", "kwargs", "at", "kept")


class Task(Record):
    """A task; path is the operator's class."""

    parts = ("path", "args", "kwargs", "at", "dag", "group")


class Group(Record):
    """A task group."""

    parts = ("args", "kwargs", "at", "dag", "parent")


class Module(Record):
    """A module that was found beside the file."""

    parts = ("scope",)


class Function(Record):
    """A function of the file; kind is "", "dag", "task" or "group" by its decorator."""

    parts = ("node", "scope", "kind", "settings", "owner")


class Class(Record):
    """A class of the file; bases are values."""

    parts = ("name", "bases", "names", "node")


class Instance(Record):
    """An instance of a class of the file."""

    parts = ("of", "names")


class Partial(Record):
    """functools.partial."""

    parts = ("function", "args", "kwargs")


class Scope:
    """The names of a module, class or function."""

    def __init__(self, file, parent=None):
        self.file, self.parent, self.names = file, parent, {}
        self.outer = set()  # names that a "global" statement sends to the module

    def module(self):
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def find(self, name):
        scope = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def has(self, name):
        scope = self
        while scope is not None:
            if name in scope.names:
                return True
            scope = scope.parent
        return False

    def bind(self, name, value):
        (self.module() if name in self.outer else self).names[name] = value


def is_plain(value):
    """Reports whether a value is Python's own."""
    return value is None or isinstance(
        value, (bool, int, float, str, list, tuple, dict, set, frozenset, range, datetime.timedelta)
    )


def is_known(value, depth=0):
    """Reports whether a value has nothing in it that is not known."""
    if depth > 50 or isinstance(value, (Unknown, Relative)):
        return False
    if isinstance(value, str):
        return MARK not in value
    if isinstance(value, dict):
        return all(is_known(k, depth + 1) and is_known(v, depth + 1) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_known(v, depth + 1) for v in value)
    return True


def mark_of(text):
    """The placeholder for what a text names."""
    return MARK + (re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:60] or "VALUE")
