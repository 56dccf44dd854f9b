"""What is known of Python's own functions, of dates, and of what Airflow makes."""

import ast
import datetime
import json
import os.path
import re
import string
import textwrap
from _string import formatter_field_name_split

import values as v

NOTHING = object()  # no such method is known

DAGS = {"airflow.DAG", "airflow.models.DAG", "airflow.models.dag.DAG", "airflow.sdk.DAG",
        "airflow.sdk.definitions.dag.DAG"}
GROUPS = {"airflow.utils.task_group.TaskGroup", "airflow.sdk.TaskGroup", "airflow.sdk.definitions.taskgroup.TaskGroup"}
DAG_DECORATORS = {"airflow.decorators.dag", "airflow.sdk.dag", "airflow.sdk.definitions.decorators.dag"}
GROUP_DECORATORS = {"airflow.decorators.task_group", "airflow.decorators.task_group.task_group",
                    "airflow.sdk.task_group"}
TASK_DECORATORS = ("airflow.decorators.task", "airflow.sdk.task", "airflow.decorators.python.task")
UTC = {"datetime.timezone.utc", "datetime.UTC", "pendulum.UTC", "pytz.utc", "pytz.UTC", "airflow.utils.timezone.utc",
       "airflow.sdk.timezone.utc", "pendulum.tz.UTC"}


def is_operator(path):
    """Reports whether a name is an operator's or sensor's class."""
    name = path.rsplit(".", 1)[-1]
    named = name.endswith(("Operator", "Sensor", "OperatorAsync", "SensorAsync"))
    return name[:1].isupper() and (named or ".operators." in path or ".sensors." in path)


# Dependencies.

def is_node(left, right):
    return any(isinstance(x, (v.Task, v.Group)) or is_label(x) for x in flat(left) + flat(right))


def is_label(value):
    return isinstance(value, v.Call) and value.path.endswith(".Label")


def flat(value, depth=0):
    if isinstance(value, (list, tuple)) and depth < 5:
        return [x for e in value for x in flat(e, depth + 1)]
    return [value]


def nodes(reader, value):
    """The tasks and groups of a task, a group, or lists of them."""
    return [x for x in flat(value) if isinstance(x, (v.Task, v.Group))]


def chain(reader, args, at):
    """airflow's chain(): each element to the next, lists of one length pairwise."""
    for a, b in zip(args, args[1:]):
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
            for x, y in zip(a, b):
                reader.connect(x, y, at)
        else:
            reader.connect(a, b, at)


def chain_linear(reader, args, at):
    for a, b in zip(args, args[1:]):
        reader.connect(a, b, at)


def part(base, name):
    """An attribute of a DAG, task, group or other object; None where it is not known."""
    if name == "output" and isinstance(base, v.Task):
        return base
    if name in base.kwargs:
        return base.kwargs[name]
    first = {v.Dag: "dag_id", v.Group: "group_id"}.get(type(base))
    return base.args[0] if name == first and base.args else None


# DAGs, groups and tasks.

def make_dag(reader, args, kwargs, at):
    return reader.make(reader.dags, v.Dag(args, kwargs, at, True))


def make_group(reader, args, kwargs, at):
    kwargs = dict(kwargs)
    parent = kwargs.pop("parent_group", None) or (reader.open_groups[-1] if reader.open_groups else None)
    dag = kwargs.pop("dag", None) or (parent.dag if parent else None) or (
        reader.open_dags[-1] if reader.open_dags else None)
    return reader.make(reader.groups, v.Group(args, kwargs, at, dag, parent))


def make_task(reader, path, args, kwargs, at):
    kwargs = dict(kwargs)
    group = kwargs.pop("task_group", None) or (reader.open_groups[-1] if reader.open_groups else None)
    dag = kwargs.pop("dag", None)
    if not isinstance(dag, v.Dag):
        dag = group.dag if isinstance(group, v.Group) else reader.open_dags[-1] if reader.open_dags else None
    task = reader.make(reader.tasks, v.Task(path, args, kwargs, at, dag, group if isinstance(group, v.Group) else None))
    for value in list(kwargs.values()) + list(args):
        for used in flat(list(value.values()) if isinstance(value, dict) else value):
            if isinstance(used, v.Task) and used is not task:
                reader.connect(used, task, at[:2])
    if dag is None and not reader.loading:
        reader.say(at[:2], "left", "the task belongs to no DAG that is known here")
    return task


def decorate(reader, function, decorator, scope):
    """Notes what a decorator makes of a function."""
    settings, named = {}, decorator
    if isinstance(decorator, ast.Call):
        settings = {k.arg: reader.eval(k.value, scope) for k in decorator.keywords if k.arg}
        for k in decorator.keywords:
            if k.arg is None and isinstance(reader.eval(k.value, scope), dict):
                settings.update(reader.eval(k.value, scope))
        if decorator.args:
            settings["__args__"] = reader.elements(decorator.args, scope)
        named = decorator.func
    value = reader.eval(named, scope)
    path = value.path if isinstance(value, v.Ref) else ""
    if path in DAG_DECORATORS:
        function.kind = "dag"
    elif path in GROUP_DECORATORS:
        function.kind = "group"
    elif any(path == t or path.startswith(t + ".") for t in TASK_DECORATORS):
        function.kind, settings["__path__"] = "task", "@" + path.split(".", 2)[-1]
    elif path == "builtins.property":
        function.kind = "property"
    elif path == "builtins.staticmethod":
        function.kind = "static"
    if function.kind:
        function.settings = settings


def call_decorated(reader, function, args, kwargs, node, scope):
    settings = {k: x for k, x in function.settings.items() if k not in ("__args__", "__path__")}
    given = function.settings.get("__args__", [])
    at = reader.at(function.node, function.scope)
    name = function.node.name
    if function.kind == "task":
        settings.setdefault("task_id", name)
        return make_task(reader, function.settings["__path__"], list(args) + list(kwargs.values()), settings, at)
    if function.kind == "group":
        if not given:
            settings.setdefault("group_id", name)
        made, stack = make_group(reader, given, settings, at), reader.open_groups
    else:
        if not given:
            settings.setdefault("dag_id", name)
        doc = ast.get_docstring(function.node)
        if doc and "doc_md" not in settings:
            settings["doc_md"] = doc
        kwargs = dag_params(reader, function, args, kwargs, settings)
        args = []
        made, stack = make_dag(reader, given, settings, at), reader.open_dags
    stack.append(made)
    try:
        result = reader.invoke(function, args, kwargs)
    finally:
        stack.pop()
    return made if function.kind == "dag" or result is None else result


def dag_params(reader, function, args, kwargs, settings):
    """The arguments of a function under @dag are params of the DAG."""
    inner = v.Scope(function.scope.file, function.scope)
    reader.bind(function, args, kwargs, inner)
    given = {k: None if isinstance(x, v.Unknown) else x for k, x in inner.names.items()}
    if given:
        settings["params"] = {**given, **(settings.get("params") or {})}
    return {name: "{{ params.%s }}" % name for name in given}


def operator_base(of, depth=0):
    """The operator that a class of the file is made from, None when it is none."""
    for base in of.bases:
        if isinstance(base, v.Ref) and is_operator(base.path):
            return base.path
        if isinstance(base, v.Class) and depth < 20:
            found = operator_base(base, depth + 1)
            if found:
                return found
    return None


def call_subclass(reader, of, path, args, kwargs, node, scope):
    """A task of an operator that the file derives: its constructor says what it passes on."""
    made = v.Instance(of, {})
    init = reader.member(made, "__init__", node, scope)
    if isinstance(init, v.Function):
        reader.invoke(init, args, kwargs)
        kwargs = {**{k: x for k, x in kwargs.items() if k in ("dag", "task_group")}, **made.names.get("super()", {})}
    changed = [n for n, x in of.names.items() if isinstance(x, v.Function) and n != "__init__"]
    if changed and not reader.loading:
        reader.say(reader.at(of.node, scope), "left", "%s changes %s of its operator, which a spec cannot"
                   % (of.name, ", ".join(changed)))
    return make_task(reader, path, [], kwargs, reader.places(node, scope))


# Methods.

TEXT_METHODS = {"lower", "upper", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines",
                "removeprefix", "removesuffix", "partition", "rpartition", "find", "rfind", "index", "count", "swapcase",
                "casefold"}
TEXT_QUESTIONS = {"startswith", "endswith", "isdigit", "isalpha", "isalnum", "islower", "isupper", "isnumeric"}
LIST_METHODS = {"append", "extend", "insert", "pop", "copy", "index", "count", "reverse", "remove", "clear"}
DICT_METHODS = {"get", "copy", "setdefault", "pop", "clear"}


def method(reader, base, name, args, kwargs, node, scope):
    """Calls a method of a value; NOTHING where it has none that is known."""
    if isinstance(base, str):
        return text_method(reader, base, name, args, kwargs)
    if name in ("set_upstream", "set_downstream") and nodes(reader, base):
        other = args[0] if args else next(iter(kwargs.values()), None)
        pair = (other, base) if name == "set_upstream" else (base, other)
        return reader.connect(*pair, reader.at(node, scope))
    if isinstance(base, list) and name in LIST_METHODS:
        if name == "extend":
            args = [reader.items(args[0])]
        result = getattr(base, name)(*args)
        reader.budget.charge(base)
        return result
    if isinstance(base, list) and name == "sort":
        return base.sort(reverse=bool(kwargs.get("reverse")))
    if isinstance(base, dict):
        return dict_method(reader, base, name, args, kwargs)
    if isinstance(base, set) and name == "add":
        return base.add(args[0])
    if isinstance(base, datetime.timedelta) and name == "total_seconds":
        return base.total_seconds()
    if isinstance(base, (v.Moment, v.Relative, v.Zone)):
        return date_method(base, name, args, kwargs)
    if isinstance(base, (v.Dag, v.Task, v.Group)):
        return made_method(reader, base, name, args)
    if isinstance(base, v.Call):
        return call_method(reader, base, name, args, kwargs, node, scope)
    if isinstance(base, v.Function) and name == "override":
        return v.Function(base.node, base.scope, base.kind, {**base.settings, **kwargs}, base.owner)
    if isinstance(base, v.Function) and base.kind == "task" and name in ("expand", "partial"):
        return reader.call_function(base, args, kwargs, node, scope)
    return NOTHING


def made_method(reader, base, name, args):
    if isinstance(base, v.Dag) and name in ("test", "cli", "add_task", "get_dagrun"):
        return None
    if isinstance(base, v.Dag) and name == "get_task":
        found = [t for t in reader.tasks if t.dag is base and t.kwargs.get("task_id") == args[0]]
        return found[0] if found else NOTHING
    if isinstance(base, v.Task) and name in ("as_setup", "as_teardown", "expand"):
        return base
    return NOTHING


def call_method(reader, base, name, args, kwargs, node, scope):
    at = reader.at(node, scope)
    if base.path == "builtins.super" and name == "__init__":
        owner = scope.find("self")
        if isinstance(owner, v.Instance):
            owner.names["super()"] = kwargs
            for parent in owner.of.bases:
                init = reader.member(parent, "__init__", node, scope) if isinstance(parent, v.Class) else None
                if isinstance(init, v.Function):
                    reader.invoke(v.Function(init.node, init.scope, "", {}, owner), args, kwargs)
        return None
    if base.path.endswith(".partial") and name in ("expand", "expand_kwargs"):
        return make_task(reader, base.path[: -len("partial")] + "expand", [], {**base.kwargs, **kwargs}, at)
    return NOTHING


def text_method(reader, base, name, args, kwargs):
    if name == "format":
        return Texts(reader).vformat(base, args, kwargs)
    if name == "join":
        return join(reader, base, args[0])
    if name == "replace":
        old, new = reader.text(args[0]), reader.text(args[1])
        reader.budget.check(len(base) + base.count(old) * len(new), v.MAX_TEXT)
        return base.replace(old, new, *args[2:])
    if name in ("zfill", "ljust", "rjust", "center"):
        reader.budget.check(args[0], v.MAX_TEXT)
        return getattr(base, name)(*args)
    if name in TEXT_METHODS:
        return getattr(base, name)(*args)
    if name in TEXT_QUESTIONS and v.MARK not in base:
        return getattr(base, name)(*args)
    if name == "value":
        return base
    return NOTHING


def join(reader, base, value):
    texts = [reader.text(x) for x in reader.items(value)]
    reader.budget.check(sum(map(len, texts)) + len(base) * len(texts), v.MAX_TEXT)
    return base.join(texts)


def dict_method(reader, base, name, args, kwargs):
    if name in ("items", "keys", "values"):
        return [tuple(x) if name == "items" else x for x in getattr(base, name)()]
    if name == "update":
        for other in args:
            base.update(other)
        base.update(kwargs)
        reader.budget.charge(base)
        return None
    return getattr(base, name)(*args) if name in DICT_METHODS else NOTHING


class Texts(string.Formatter):
    """str.format without attributes of values."""

    def __init__(self, reader):
        self.reader = reader

    def get_field(self, field_name, args, kwargs):
        first, rest = formatter_field_name_split(field_name)
        value = self.get_value(first, args, kwargs)
        for is_attribute, key in rest:
            if is_attribute:
                raise TypeError
            value = value[key]
        return value, first

    def format_field(self, value, spec):
        return self.reader.format(value, spec)

    def convert_field(self, value, conversion):
        return value


def percent(reader, left, right):
    """The operator % of a text."""
    if re.search(r"\*|\d{4}", "".join(re.findall(r"%[^a-zA-Z%]*", left))):
        raise v.Stop("a format of the file is wider than 999 characters")
    def value(x):
        return x if isinstance(x, (int, float)) else reader.text(x)
    if isinstance(right, dict):
        return left % {k: value(x) for k, x in right.items()}
    if isinstance(right, tuple):
        return left % tuple(map(value, right))
    return left % value(right)


# Dates.

def move(left, right, op, source):
    """Adds a timedelta to a date, or subtracts one; None for other operands."""
    if op not in (ast.Add, ast.Sub):
        return None
    if isinstance(left, datetime.timedelta) and op is ast.Add:
        left, right = right, left
    if not isinstance(right, datetime.timedelta):
        return None
    if op is ast.Sub:
        right = -right
    if isinstance(left, v.Moment):
        return v.Moment(left.wall + right, left.zone)
    if isinstance(left, v.Relative):
        return v.Relative(left.offset + right, source, left.at)
    return None


def zone_name(value):
    if isinstance(value, v.Zone):
        return value.name
    if isinstance(value, v.Ref) and value.path in UTC:
        return "UTC"
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise TypeError


def moment(args, kwargs, zone=""):
    kwargs = dict(kwargs)
    kwargs.pop("fold", None)
    for key in ("tzinfo", "tz"):
        if key in kwargs:
            zone = zone_name(kwargs.pop(key))
    if len(args) > 7:
        zone, args = zone_name(args[7]), args[:7]
    return v.Moment(datetime.datetime(*args, **kwargs), zone)


def pendulum_moment(args, kwargs):
    kwargs = {"month": 1, "day": 1, **kwargs} if len(args) == 1 else dict(kwargs)
    return moment(args, kwargs, "UTC")


def parsed(text, zone=""):
    wall = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if wall.tzinfo is not None:
        wall, zone = wall.astimezone(datetime.timezone.utc).replace(tzinfo=None), "UTC"
    return v.Moment(wall, zone)


def date_method(base, name, args, kwargs):
    if isinstance(base, v.Zone):
        return v.Moment(args[0].wall, base.name) if name == "localize" else NOTHING
    if name in ("add", "subtract"):
        offset = datetime.timedelta(**kwargs)
        offset = offset if name == "add" else -offset
        if isinstance(base, v.Moment):
            return v.Moment(base.wall + offset, base.zone)
        return v.Relative(base.offset + offset, base.source, base.at)
    if isinstance(base, v.Relative):
        return base if name in ("replace", "date", "start_of", "astimezone", "in_timezone", "set") else NOTHING
    if name in ("replace", "set"):
        kwargs = dict(kwargs)
        zone = zone_name(kwargs.pop("tzinfo", kwargs.pop("tz", base.zone)))
        return v.Moment(base.wall.replace(**kwargs), zone)
    if name in ("strftime", "isoformat"):
        return getattr(base.wall, name)(*args)
    return base if name in ("date", "naive") else NOTHING


# Functions of modules.

def environment(reader, args, kwargs, node, scope):
    """What is only known where Airflow runs: its default, or a mark."""
    at, source = reader.at(node, scope), reader.source(node)
    default = next((kwargs[k] for k in ("default", "default_var", "fallback") if k in kwargs), None)
    if default is None and len(args) > 1:
        default = args[-1]
    if isinstance(default, (str, int, float, bool, list, dict)):
        reader.say(at, "default", source)
        return default
    if kwargs.get("deserialize_json"):
        return v.Unknown(source, at, "")
    if not isinstance(args[-1], str):
        return v.Unknown(source, at, "")
    return reader.mark(args[-1], at, source)


def setting(reader, args, kwargs, node, scope):
    """conf.get(section, key)."""
    return environment(reader, [".".join(args[:2])] + list(args[2:]), kwargs, node, scope)


ENVIRONMENT = {"os.environ.get", "os.getenv", "os.environ.setdefault", "airflow.models.Variable.get",
               "airflow.models.variable.Variable.get", "airflow.sdk.Variable.get"}
NOW = {"datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today",
       "pendulum.now", "pendulum.today", "airflow.utils.timezone.utcnow", "datetime.now", "datetime.today"}
ZONES = {"pendulum.timezone", "pendulum.tz.timezone", "pytz.timezone", "zoneinfo.ZoneInfo", "dateutil.tz.gettz",
         "pendulum.Timezone", "pendulum.tz.timezone.Timezone", "airflow.utils.timezone.parse_timezone"}
CHAINS = ("airflow.models.baseoperator.", "airflow.sdk.", "airflow.utils.helpers.", "airflow.sdk.bases.operator.")


def call(reader, path, args, kwargs, node, scope):
    """Calls something that was imported, or one of Python's own functions."""
    at = reader.at(node, scope)
    name = path.rsplit(".", 1)[-1]
    if path.startswith("builtins."):
        return builtin(reader, name, args, kwargs, node, scope)
    if path in DAGS:
        return make_dag(reader, args, kwargs, reader.places(node, scope))
    if path in GROUPS:
        return make_group(reader, args, kwargs, reader.places(node, scope))
    if path.endswith(".partial") and is_operator(path[: -len(".partial")]):
        return v.Call(path, args, kwargs, at)
    if is_operator(path):
        return make_task(reader, path, args, kwargs, reader.places(node, scope))
    if path in ENVIRONMENT:
        return environment(reader, args, kwargs, node, scope)
    if path.startswith("airflow.configuration.") and name.startswith("get"):
        return setting(reader, args, kwargs, node, scope)
    if path in FUNCTIONS:
        return FUNCTIONS[path](reader, args, kwargs, at)
    if path in NOW:
        return v.Relative(datetime.timedelta(0), reader.source(node), at)
    if path == "airflow.utils.dates.days_ago":
        days = args[0] if args else kwargs["n"]
        return v.Relative(datetime.timedelta(days=-days), reader.source(node), at)
    if path == "pendulum.yesterday":
        return v.Relative(datetime.timedelta(days=-1), reader.source(node), at)
    if path in ZONES:
        return v.Zone(args[0] if args else kwargs["key"])
    if path.startswith(CHAINS) and name in ("chain", "chain_linear", "cross_downstream"):
        {"chain": chain, "chain_linear": chain_linear, "cross_downstream": chain_linear}[name](
            reader, args or [kwargs.get("from_tasks"), kwargs.get("to_tasks")], at)
        return None
    if name[:1].isupper():
        return v.Call(path, args, kwargs, at)
    return reader.unknown(node, scope)


def copied(reader, value, depth=0):
    reader.budget.step()
    if depth > 50:
        raise v.Stop("a value of the file is nested deeper than 50")
    if isinstance(value, dict):
        return {k: copied(reader, x, depth + 1) for k, x in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(reader, x, depth + 1) for x in value)
    if isinstance(value, v.Call):
        return v.Call(value.path, copied(reader, value.args, depth + 1), copied(reader, value.kwargs, depth + 1), value.at)
    return value


def dumped(reader, args, kwargs, at):
    if not v.is_known(args[0]):
        raise TypeError
    text = json.dumps(copied(reader, args[0]), **{k: x for k, x in kwargs.items() if k in ("sort_keys", "ensure_ascii")})
    return text


FUNCTIONS = {
    "datetime.timedelta": lambda r, a, k, at: datetime.timedelta(*a, **k),
    "pendulum.duration": lambda r, a, k, at: datetime.timedelta(*a, **k),
    "pendulum.Duration": lambda r, a, k, at: datetime.timedelta(*a, **k),
    "datetime.datetime": lambda r, a, k, at: moment(a, k),
    "datetime.date": lambda r, a, k, at: moment(a, k),
    "pendulum.datetime": lambda r, a, k, at: pendulum_moment(a, k),
    "pendulum.local": lambda r, a, k, at: pendulum_moment(a, k),
    "pendulum.naive": lambda r, a, k, at: moment(a, k),
    "pendulum.DateTime": lambda r, a, k, at: moment(a, k),
    "airflow.utils.timezone.datetime": lambda r, a, k, at: moment(a, k, "UTC"),
    "airflow.sdk.timezone.datetime": lambda r, a, k, at: moment(a, k, "UTC"),
    "datetime.datetime.combine": lambda r, a, k, at: a[0],
    "datetime.datetime.strptime": lambda r, a, k, at: v.Moment(datetime.datetime.strptime(a[0], a[1]), ""),
    "datetime.datetime.fromisoformat": lambda r, a, k, at: parsed(a[0]),
    "pendulum.parse": lambda r, a, k, at: parsed(a[0], zone_name(k.get("tz")) or "UTC"),
    "airflow.utils.timezone.parse": lambda r, a, k, at: parsed(a[0], "UTC"),
    "pendulum.instance": lambda r, a, k, at: a[0],
    "functools.partial": lambda r, a, k, at: v.Partial(a[0], list(a[1:]), k),
    "copy.copy": lambda r, a, k, at: copied(r, a[0]),
    "copy.deepcopy": lambda r, a, k, at: copied(r, a[0]),
    "json.dumps": dumped,
    "json.loads": lambda r, a, k, at: json.loads(a[0]),
    "textwrap.dedent": lambda r, a, k, at: textwrap.dedent(a[0]),
    "inspect.cleandoc": lambda r, a, k, at: textwrap.dedent(a[0]).strip(),
    "collections.OrderedDict": lambda r, a, k, at: dict(*a, **k),
    "os.path.join": lambda r, a, k, at: join(r, "/", [str(x) for x in a]),
    "os.path.basename": lambda r, a, k, at: os.path.basename(a[0]),
    "os.path.dirname": lambda r, a, k, at: os.path.dirname(a[0]),
    "os.path.abspath": lambda r, a, k, at: a[0],
    "os.path.realpath": lambda r, a, k, at: a[0],
    "os.path.splitext": lambda r, a, k, at: os.path.splitext(a[0]),
    "itertools.product": lambda r, a, k, at: product(r, a),
}


def product(reader, args):
    rows = [()]
    for values in map(reader.items, args):
        reader.budget.check(len(rows) * len(values), v.MAX_ITEMS)
        rows = [row + (x,) for row in rows for x in values]
    return rows


# Python's own functions.

def whole(reader, args, kwargs):
    if isinstance(args[0], str) and len(args[0]) > 1000:
        raise ValueError
    return int(*args)


def listed(reader, args):
    return reader.items(args[0]) if args else []


def ordered(reader, args, kwargs):
    return sorted(reader.items(args[0]), reverse=bool(kwargs.get("reverse")))


def known(args):
    if not v.is_known(list(args)):
        raise TypeError
    return args


def mapped(reader, args, node, scope):
    return [reader.call(args[0], [x], {}, node, scope) for x in reader.items(args[1])]


BUILTINS = {
    "str": lambda r, a, k: r.text(a[0]) if a else "",
    "repr": lambda r, a, k: repr(known(a)[0]) if v.is_plain(a[0]) else r.text(a[0]),
    "int": whole,
    "float": lambda r, a, k: float(a[0]),
    "bool": lambda r, a, k: bool(known(a)[0]),
    "len": lambda r, a, k: len(a[0]),
    "range": lambda r, a, k: range(*a),
    "list": lambda r, a, k: listed(r, a),
    "tuple": lambda r, a, k: tuple(listed(r, a)),
    "set": lambda r, a, k: set(listed(r, a)),
    "frozenset": lambda r, a, k: set(listed(r, a)),
    "dict": lambda r, a, k: {**(dict(a[0]) if a else {}), **k},
    "sorted": ordered,
    "reversed": lambda r, a, k: listed(r, a)[::-1],
    "enumerate": lambda r, a, k: list(enumerate(listed(r, a), *a[1:], **k)),
    "zip": lambda r, a, k: list(zip(*map(r.items, a))),
    "min": lambda r, a, k: min(*known(a)),
    "max": lambda r, a, k: max(*known(a)),
    "sum": lambda r, a, k: sum(r.items(known(a)[0])),
    "abs": lambda r, a, k: abs(a[0]),
    "round": lambda r, a, k: round(*a),
    "any": lambda r, a, k: any(r.items(known(a)[0])),
    "all": lambda r, a, k: all(r.items(known(a)[0])),
    "print": lambda r, a, k: None,
    "globals": lambda r, a, k: {},
    "locals": lambda r, a, k: {},
    "vars": lambda r, a, k: {},
}
OTHER_BUILTINS = {"super", "map", "isinstance", "getattr", "property", "staticmethod", "classmethod", "object", "type",
                  "Exception", "ValueError", "open"}


def builtin(reader, name, args, kwargs, node, scope):
    if name == "super":
        return v.Call("builtins.super", args, kwargs, reader.at(node, scope))
    if name == "map":
        return mapped(reader, args, node, scope)
    if name == "getattr" and len(args) > 1 and isinstance(args[1], str):
        return reader.attribute(args[0], args[1], node, scope)
    if name in BUILTINS:
        return BUILTINS[name](reader, args, kwargs)
    return reader.unknown(node, scope)


BUILTINS_KNOWN = set(BUILTINS) | OTHER_BUILTINS


def check_operands(reader, op, left, right):
    """Refuses what would become too large before it is made, and operands that are not plain."""
    if not (v.is_plain(left) and v.is_plain(right)):
        raise TypeError
    if isinstance(op, ast.Mult):
        for a, b in ((left, right), (right, left)):
            if isinstance(a, (str, list, tuple)) and isinstance(b, int):
                reader.budget.check(len(a) * max(b, 0), v.MAX_TEXT if isinstance(a, str) else v.MAX_ITEMS)
    if isinstance(op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
        if abs(right) > v.MAX_BITS or left.bit_length() * abs(right) > v.MAX_BITS:
            raise v.Stop("a number of the file has more than %d bits" % v.MAX_BITS)
    if isinstance(op, ast.LShift) and right > v.MAX_BITS:
        raise v.Stop("a number of the file has more than %d bits" % v.MAX_BITS)
