"""Loads DAG files into the Airflow of this interpreter, WHICH RUNS THEM, and prints what was
built: a line of JSON for each file, in their order and in the form of printing.py.

    AIRFLOW'S-PYTHON -B load.py <<<'{"files": [FILE, …], "roots": [FOLDER, …]}'

An argument is printed if the file gives it, or if it differs from that of a task, or DAG, to
which nothing is said. Where a call stands in the file is not known here."""

import datetime
import enum
import inspect
import json
import math
import os
import re
import sys

# Airflow logs, and files print, to the standard output.
ANSWERS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

# The one who starts this has a deadline for each file.
os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] = "0"

MAX_DEPTH = 60
MAX_MADE = 5000  # DAGs, groups and tasks of one file
KUBERNETES = "kubernetes.client.models."
SECRET = "airflow.providers.cncf.kubernetes.secret.Secret"
# Arguments that say where a task belongs, and those of a DAG that are printed by themselves.
PLACE = {"self", "task_id", "dag", "task_group", "default_args", "params", "start_date", "end_date", "kwargs"}
OWN = {"self", "dag_id", "default_args", "schedule", "schedule_interval", "timetable", "start_date", "end_date", "params",
       "task_dict", "task_group", "fileloc", "edge_info", "disable_bundle_versioning", "full_filepath", "concurrency"}
# What Airflow's configuration may set, and the values that a spec has without it.
SETTINGS = {"retries": 0, "retry_delay": datetime.timedelta(minutes=5), "execution_timeout": None}
DAG_SETTINGS = {"catchup": False, "max_active_runs": 16, "max_active_tasks": 16}


class Stop(Exception):
    """The file makes more than it may."""


# Values.


def name_of(x):
    return "%s.%s" % (getattr(x, "__module__", ""), getattr(x, "__qualname__", type(x).__name__))


def pairs(d, depth):
    return [[value(k, depth), value(x, depth)] for k, x in d.items()]


def made(path, kwargs, depth=0, args=()):
    kept = {k: x for k, x in kwargs.items() if x is not None}
    return {"call": path, "args": [value(x, depth) for x in args], "kwargs": pairs(kept, depth), "at": ["", 0]}


def value(x, depth=0):
    if depth > MAX_DEPTH:
        raise Stop("a value of the file is nested deeper than %d" % MAX_DEPTH)
    if isinstance(x, enum.Enum):
        x = x.value
    if isinstance(x, str):
        return str(x).encode("utf-8", "replace").decode("utf-8")
    if x is None or isinstance(x, (bool, int)):
        return x
    if isinstance(x, float):
        return x if math.isfinite(x) else str(x)
    if isinstance(x, (list, tuple, range)):
        return [value(e, depth + 1) for e in x]
    if isinstance(x, (set, frozenset)):
        return [value(e, depth + 1) for e in sorted(x, key=repr)]
    if isinstance(x, dict):
        return {"dict": pairs(x, depth + 1)}
    return thing(x, depth + 1)


def thing(x, depth):
    if isinstance(x, datetime.timedelta):
        return {"delta": x // datetime.timedelta(microseconds=1)}
    if isinstance(x, datetime.datetime):
        return moment(x, x.tzinfo)
    if isinstance(x, datetime.date):
        return {"moment": x.isoformat() + "T00:00:00", "zone": ""}
    if hasattr(x, "openapi_types"):
        return made(KUBERNETES + type(x).__name__, {k: getattr(x, k) for k in x.openapi_types}, depth)
    if type(x).__name__ == "Secret" and hasattr(x, "deploy_type"):
        names = ("deploy_type", "deploy_target", "secret", "key", "items")
        return made(SECRET, {n: getattr(x, n, None) or None for n in names}, depth)
    if type(x).__name__ == "relativedelta":
        names = ("years", "months", "days", "hours", "minutes", "seconds", "microseconds")
        return made("dateutil.relativedelta.relativedelta", {n: getattr(x, n) or None for n in names}, depth)
    if callable(x):
        return {"name": "builtins." + getattr(x, "__name__", type(x).__name__)}
    return {"unknown": type(x).__name__, "why": "a spec has no such object", "at": ["", 0]}


def zone_name(zone):
    return getattr(zone, "name", None) or getattr(zone, "key", None) or str(zone or "UTC")


def moment(x, zone):
    """A moment on the clock of a zone."""
    if zone is not None and x.tzinfo is not None:
        x = x.astimezone(zone)
    return {"moment": x.replace(tzinfo=None).isoformat(timespec="seconds"), "zone": zone_name(zone)}


# Arguments.


def parameters(cls):
    """The names of the arguments of a class and of those that it is made from."""
    names = []
    for base in cls.__mro__:
        try:
            own = inspect.signature(base.__init__).parameters.values()
        except (TypeError, ValueError):
            continue
        names += [p.name for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in names]
    return names


def differing(x, reference, names, settings):
    """The arguments of x that are not those of a reference. Settings have other defaults."""
    found = {}
    for name in names:
        own, usual = argument(x, name), argument(reference, name)
        if own != usual or name in settings and own != value(settings[name]):
            found[name] = own
    return found


def argument(x, name):
    """An argument as it is kept, None if it is not."""
    try:
        return value(getattr(x, name, None))
    except Stop:
        raise
    except Exception:  # a property that only works in a run
        return None


class Arguments:
    """The arguments of one DAG's tasks."""

    def __init__(self, dag):
        self.defaults, self.of_dag = dict(dag.default_args or {}), set(dag.params)
        self.known = {}

    def of(self, task):
        cls = type(task)
        reference = self.reference(cls)
        if reference is None:
            return [["task_id", None]]
        found = differing(task, reference, [n for n in parameters(cls) if n not in PLACE],
                          {n: x for n, x in SETTINGS.items() if n not in self.defaults})
        given = getattr(task, "_BaseOperator__init_kwargs", {})
        found.update({n: argument(task, n) for n in given if n not in PLACE and n not in self.defaults and given[n] is not None})
        own = {name: task.params.get(name) for name in task.params if name not in self.of_dag}
        found.update({"params": value(own)} if own else {})
        return [[name, x] for name, x in found.items() if name != "task_display_name" or x != task.task_id]

    def reference(self, cls):
        """A task to which nothing is said but the DAG's default_args."""
        for base in cls.__mro__:
            if base not in self.known:
                self.known[base] = self.make(base) if hasattr(base, "task_type") else None
            if self.known[base] is not None:
                return self.known[base]
        return None

    def make(self, cls):
        try:
            return cls(task_id="reference", default_args=dict(self.defaults))
        except Exception:  # it wants more; the class that it is made from may not
            return None


# DAGs.


def dag_arguments(dag):
    names = [n for n in parameters(type(dag)) if n not in OWN and not n.startswith("_")]
    reference = type(dag)("reference", schedule=None)
    out = {"dag_id": dag.dag_id}
    if dag.default_args:
        out["default_args"] = value(dict(dag.default_args))
    out["schedule"] = schedule(dag)
    for name in ("start_date", "end_date"):
        date = getattr(dag, name, None) or (dag.default_args or {}).get(name)
        if date is not None:
            zone = getattr(dag, "timezone", None) or date.tzinfo
            out[name] = moment(date, zone if name == "start_date" or date.tzinfo is None else date.tzinfo)
    given = {name: dag.params.get_param(name) for name in dag.params}
    if given:
        out["params"] = {"dict": [[name, param(p)] for name, p in given.items()]}
    out.update((n, x) for n, x in differing(dag, reference, names, DAG_SETTINGS).items()
               if n != "dag_display_name" or x != dag.dag_id)
    return [[name, x] for name, x in out.items()]


def param(p):
    default = None if type(p.value).__name__ in ("ArgNotSet", "NotSetType") or str(p.value).endswith("NOTSET") else p.value
    if not p.schema and not p.description:
        return value(default)
    return made("airflow.sdk.Param", {"default": default, "description": p.description, **p.schema})


def field(timetable, name):
    """A field of a timetable of the core, which hides it, or of the SDK."""
    return getattr(timetable, name, getattr(timetable, "_" + name, None))


def schedule(dag):
    """The schedule as the timetable has it: a cron expression means two things."""
    timetable = dag.timetable
    name = type(timetable).__name__
    cron, zone = field(timetable, "expression"), field(timetable, "timezone")
    if name in ("NullTimetable", "OnceTimetable", "ContinuousTimetable"):
        return {"NullTimetable": None, "OnceTimetable": "@once"}.get(name, "@continuous")
    if "Asset" in name or "Dataset" in name:
        return {"name": "airflow.sdk.Asset"}
    if name == "DeltaTriggerTimetable" and not field(timetable, "interval"):
        return value(field(timetable, "delta"))
    if name in ("DeltaTriggerTimetable", "DeltaDataIntervalTimetable"):
        return made("airflow.timetables.%s.%s" % ("trigger" if "Trigger" in name else "interval", name),
                    {"delta": field(timetable, "delta")})
    if name == "MultipleCronTriggerTimetable":
        parts = field(timetable, "timetables")
        return made("airflow.timetables.trigger." + name, extra(parts[0], field(parts[0], "timezone")),
                    args=[field(p, "expression") for p in parts])
    if name in ("CronTriggerTimetable", "CronDataIntervalTimetable"):
        more = extra(timetable, zone)
        if name == "CronTriggerTimetable" and len(more) == 1 and zone_name(zone) == zone_name(dag.timezone):
            given = getattr(dag, "schedule", None)
            return given if isinstance(given, str) else cron
        return made("airflow.timetables.%s.%s" % ("trigger" if "Trigger" in name else "interval", name), {"cron": cron, **more})
    return {"unknown": name, "why": "a spec has no such timetable", "at": ["", 0]}


def extra(timetable, zone):
    more = {"timezone": zone_name(zone)}
    for name in ("interval", "run_immediately"):
        if field(timetable, name):
            more[name] = field(timetable, name)
    return more


def operator(task):
    """The class of a task as a file imports it, and .expand for one that is mapped."""
    if type(task).__name__ == "MappedOperator" or hasattr(task, "partial_kwargs"):
        return name_of(task.operator_class) + ".expand"
    if getattr(task, "custom_operator_name", None):
        return task.custom_operator_name
    for base in type(task).__mro__:
        if base.__module__.startswith("airflow."):
            return name_of(base)
    return name_of(type(task))


class Builder:
    """What one file makes, in the lists of printing.py."""

    def __init__(self):
        self.dags, self.groups, self.tasks, self.edges = [], [], [], []

    def add(self, kind, one):
        if len(self.dags) + len(self.groups) + len(self.tasks) >= MAX_MADE:
            raise Stop("the file makes more than %d DAGs, groups and tasks" % MAX_MADE)
        kind.append(one)
        return len(kind) - 1

    def dag(self, dag):
        number = self.add(self.dags, {"args": [], "kwargs": dag_arguments(dag), "at": ["", 0]})
        arguments, groups, numbers = Arguments(dag), {}, {}
        for task in dag.tasks:
            group = self.group(task.task_group, number, groups)
            mapped = operator(task).endswith(".expand")
            kwargs = [["task_id", self.short(task.task_id, task.task_group)]]
            kwargs += [] if mapped else [p for p in arguments.of(task) if p[0] != "task_id"]
            numbers[task.task_id] = self.add(self.tasks, {
                "args": [], "kwargs": kwargs, "at": ["", 0], "class": operator(task), "dag": number, "group": group})
        for task in dag.tasks:
            self.edges += [[{"task": numbers[up]}, {"task": numbers[task.task_id]}] for up in sorted(task.upstream_task_ids)]

    def group(self, group, dag, known):
        """The number of a task group, -1 for the DAG's own."""
        if group is None or group.is_root:
            return -1
        if group.group_id not in known:
            parent = self.group(group.parent_group, dag, known)
            kwargs = [["group_id", group._group_id]]
            kwargs += [] if group.prefix_group_id else [["prefix_group_id", False]]
            kwargs += [["tooltip", group.tooltip]] if group.tooltip else []
            known[group.group_id] = self.add(self.groups, {
                "args": [], "kwargs": kwargs, "at": ["", 0], "dag": dag, "parent": parent})
        return known[group.group_id]

    def short(self, task_id, group):
        if group is None or group.is_root or not group.prefix_group_id:
            return task_id
        return task_id.removeprefix(group.group_id + ".")

    def result(self):
        return {"dags": self.dags, "groups": self.groups, "tasks": self.tasks, "edges": self.edges, "notes": []}


def new_bag():
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    known = inspect.signature(DagBag.__init__).parameters
    wanted = {"dag_folder": os.devnull, "include_examples": False, "collect_dags": False, "read_dags_from_db": False}
    return DagBag(**{k: x for k, x in wanted.items() if k in known})


def raised(fault):
    """The exception of a traceback, whose own words may have several lines."""
    lines = [line for line in fault.strip().split("\n") if line.strip()] or [""]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*: ", line)]
    return (named or lines)[-1][:1000]


def load(file):
    bag = new_bag()
    found = bag.process_file(os.path.abspath(file), only_if_updated=False)
    for fault in bag.import_errors.values():
        return {"error": "Airflow does not load it: " + raised(fault), "at": [file, 0]}
    builder = Builder()
    try:
        for dag in sorted(found, key=lambda d: d.dag_id):
            builder.dag(dag)
    except (Stop, RecursionError) as stop:
        return {"error": str(stop), "at": [file, 0]}
    return builder.result()


def main():
    wanted = json.load(sys.stdin)
    sys.path[0:1] = [os.path.abspath(root) for root in wanted["roots"]]
    for file in wanted["files"]:
        print(json.dumps(load(file), allow_nan=False), file=ANSWERS, flush=True)


main()
