"""Loads a DAG repository into a real Airflow and writes down what it makes of it.

    AIRFLOW_HOME=$(mktemp -d) python dump.py REPOSITORY RUN_ID LOGICAL_DATE RESULT

The DAGs come by the loaders that stand beside the specs, as Airflow's DAG processor
takes them. For each task there is its place in the DAG and the pod that its first try
would get in a manual run. RESULT is JSON: Airflow has the standard output for its log."""

import datetime
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from kubernetes.client import ApiClient

client = ApiClient()


def seconds(delta):
    return delta.total_seconds() if isinstance(delta, datetime.timedelta) else delta


def length(interval):
    """Seconds of an interval that has a length: one of months has none."""
    return interval.total_seconds() if isinstance(interval, datetime.timedelta) else 0


def when(date):
    return date.astimezone(datetime.timezone.utc).isoformat() if date else None


def field(timetable, name):
    """A field of a timetable of the core, which hides it, or of the SDK."""
    return getattr(timetable, name, getattr(timetable, "_" + name, None))


def schedule(dag):
    timetable = dag.timetable
    parts = field(timetable, "timetables") or [timetable]
    crons = [field(part, "expression") for part in parts]
    every = field(timetable, "delta")
    return {
        "timetable": type(timetable).__name__,
        "cron": "\n".join(crons) if all(crons) else None,
        "timezone": str(field(parts[0], "timezone") or ""),
        "every": str(every) if every is not None else "",
        "interval": length(field(parts[0], "interval")),
        "immediately": str(field(parts[0], "run_immediately") or ""),
    }


def paused(dag):
    """What a DAG begins as that does not say: Airflow's default."""
    if dag.is_paused_upon_creation is None:
        return conf.getboolean("core", "dags_are_paused_at_creation")
    return dag.is_paused_upon_creation


def params(dag):
    every = {name: dag.params.get_param(name) for name in dag.params}
    return {name: {"default": None if str(p.value).endswith("NOTSET") else p.value, "schema": p.schema} for name, p in every.items()}


def pod(dag, task, run_id, logical_date):
    """The pod of the first try, with its templates rendered."""
    date = datetime.datetime.fromisoformat(logical_date)
    values = {name: p["default"] for name, p in params(dag).items()}
    run = SimpleNamespace(conf={}, run_id=run_id, logical_date=date, dag_id=dag.dag_id)
    context = {
        "dag": dag,
        "dag_run": run,
        "ds": date.strftime("%Y-%m-%d"),
        "logical_date": date,
        "params": values,
        "run_id": run_id,
        "task": task,
        "ti": SimpleNamespace(
            dag_id=dag.dag_id, task_id=task.task_id, run_id=run_id, map_index=-1, try_number=1
        ),
    }
    if not hasattr(task, "build_pod_request_obj"):
        return None
    task.render_template_fields(context, dag.get_template_env())
    return client.sanitize_for_serialization(task.build_pod_request_obj(context, dry_run=True))


def relative(folder, file):
    return str((Path(folder) / file).relative_to(folder))


def try_pod(*args):
    """The pod, or why there is none: a spec can load and fail with its first run."""
    try:
        return {"pod": pod(*args)}
    except Exception as e:  # whatever it is, it is the answer
        return {"pod": None, "pod_error": f"{type(e).__name__}: {e}"}


def serialized(dag):
    """Why the DAG processor could not write a DAG down; "" when it can."""
    try:
        DagSerialization.to_dict(dag)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


def main(folder, run_id, logical_date, result):
    bag = DagBag(dag_folder=folder, bundle_path=Path(folder), bundle_name="check")
    out = {"import_errors": {relative(folder, f): e for f, e in bag.import_errors.items()}, "dags": {}}
    for dag_id, dag in sorted(bag.dags.items()):
        if fault := serialized(dag):
            out["import_errors"][relative(folder, dag.fileloc)] = fault
            continue
        out["dags"][dag_id] = {
            "loader": relative(folder, dag.fileloc),
            "description": dag.description,
            "schedule": schedule(dag),
            "start_date": when(dag.start_date or (dag.default_args or {}).get("start_date")),
            "end_date": when(dag.end_date),
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "paused": paused(dag),
            "timeout": seconds(dag.dagrun_timeout),
            "tags": sorted(dag.tags),
            "params": params(dag),
            "tasks": {
                task.task_id: {
                    "operator": type(task).__module__ + "." + type(task).__name__,
                    "owner": task.owner,
                    "upstream": sorted(task.upstream_task_ids),
                    "downstream": sorted(task.downstream_task_ids),
                    "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                    "retries": task.retries,
                    "retry_delay": seconds(task.retry_delay),
                    "timeout": seconds(task.execution_timeout),
                    **try_pod(dag, task, run_id, logical_date),
                }
                for task in dag.tasks
            },
        }
    Path(result).write_text(json.dumps(out, indent=1, sort_keys=True, default=str))


main(*sys.argv[1:])
