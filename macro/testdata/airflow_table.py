"""Writes airflow.json: what Airflow makes of the templates in airflow.txt, one a line.

    $(test/airflow/python) macro/testdata/airflow_table.py

The environment is Airflow's own sandbox with its filters and macros; the context is a
fixed run's. Variables come from Airflow's own backend of environment variables. A
template that fails has null. TestAirflow compares.
"""
import json
import os
import pathlib

import jinja2
import pendulum
from airflow.sdk.definitions._internal.templater import create_template_env
from airflow.sdk.execution_time.context import MacrosAccessor, VariableAccessor

here = pathlib.Path(__file__).parent
logical = pendulum.datetime(2026, 1, 31, 3, 4, 5, 678901)
start = pendulum.datetime(2026, 1, 24, 3, 4, 5)
conf = {
    "name": "Zoe", "n": 5, "ratio": 1.5, "none": None, "yes": True, "text": "the quick brown-fox jumps over the lazy dog",
    "list": ["b", "a", "C"], "numbers": [3, 1, 2], "nested": {"a": {"b": [1, 2]}},
    "users": [{"name": "ann", "age": 30, "city": "Riga"}, {"name": "Bob", "age": 25, "city": "Oslo"},
              {"name": "eve", "age": 30, "city": "oslo", "admin": True}],
}
variables = {
    "bucket": "s3://models", "empty": "", "answer": "42", "a-b": "dashed", "a.b": "dotted",
    "settings": '{"host": "db", "ports": [1, 2], "deep": {"er": {"x": 1.50}}, "on": true, "none": null, "items": 3}',
    "list": '["b", "a"]', "text": '"quoted"', "broken": "{nope",
}
os.environ.update({"AIRFLOW_VAR_" + name.upper(): value for name, value in variables.items()})
dag_run = {"conf": conf, "run_id": "manual__1", "logical_date": logical, "start_date": logical.add(minutes=1)}
context = {
    "ds": logical.strftime("%Y-%m-%d"), "ds_nodash": logical.strftime("%Y%m%d"), "ts": logical.isoformat(),
    "logical_date": logical, "data_interval_start": start, "data_interval_end": logical,
    "params": dict(conf), "conf": conf, "dag_run": dag_run, "macros": MacrosAccessor(),
    "var": {"value": VariableAccessor(deserialize_json=False), "json": VariableAccessor(deserialize_json=True)},
    "ti": {"start_date": logical.add(minutes=2), "try_number": 2},
}
env = create_template_env(template_undefined=jinja2.StrictUndefined)
rows = []
for line in (here / "airflow.txt").read_text(encoding="utf-8").splitlines():
    if not line:
        continue
    try:
        want = env.from_string(line).render(**context)
    except Exception:
        want = None
    rows.append({"template": line, "want": want})
out = json.dumps({"conf": conf, "variables": variables, "rows": rows}, indent=1, ensure_ascii=True)
(here / "airflow.json").write_text(out + "\n", encoding="utf-8")
