"""Lays the answers of scenario.py by dagwright beside those by Airflow.

    compare.py DAGWRIGHT.json AIRFLOW.json [differences.txt]

Values that differ from run to run (times, ids, hosts) count by their type only.
A difference that differences.txt does not know is printed and fails; so does a
line there that fits none, since it is out of date.
"""

import fnmatch
import json
import re
import sys

# Fields whose values say nothing beyond their type.
VOLATILE = re.compile(
    r"(^|_)(id|date|at|when|time|start|end|after|duration|version|heartbeat|decision|entries|hostname|pid|token|fileloc|unixname)$"
    r"|^(file_token|latest_dag_version|bundle_url|last_parsed|last_expired|run_after|queued_when|scheduled_when)$"
)
STABLE = {"dag_id", "task_id", "dag_run_id", "run_id", "logical_date", "data_interval_start", "data_interval_end"}


def flat(value, path=""):
    """The leaves of an answer by path; elements of a list share a path by position."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for i, inner in enumerate(value):
            yield from flat(inner, f"{path}[{i}]")
    else:
        yield path, value


def known(path, value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = re.sub(r"\[\d+\]", "", path).rsplit(".", 1)[-1]
    if value is None or isinstance(value, (dict, list)) or name in STABLE or not VOLATILE.search(name):
        return json.dumps(value)
    return "<" + type(value).__name__.replace("int", "number").replace("float", "number") + ">"


def leaves(answers):
    return {path: known(path, value) for path, value in flat(answers)}


def differences(ours, theirs):
    a, b = leaves(ours), leaves(theirs)
    for path in sorted(a.keys() | b.keys()):
        if a.get(path) != b.get(path):
            yield path, a.get(path, "absent"), b.get(path, "absent")


def main(ours, theirs, listed="/dev/null"):
    with open(ours) as f, open(theirs) as g, open(listed) as h:
        found = list(differences(json.load(f), json.load(g)))
        rules = [line.split("  ")[0].strip() for line in h if line.strip() and not line.startswith("#")]
    unused, unknown = set(rules), 0
    for path, a, b in found:
        plain = re.sub(r"\[\d+\]", "[]", path)
        fitting = [r for r in rules if fnmatch.fnmatchcase(plain, r.replace("[]", "[[]]"))]
        unused -= set(fitting)
        if not fitting:
            unknown += 1
            print(f"{path}\n    dagwright {a}\n    airflow   {b}")
    for rule in sorted(unused):
        print(f"no difference is like {rule}")
    print(f"{len(found)} differences, {unknown} of them not in {listed}; {len(unused)} lines of it out of date")
    return 1 if unknown or unused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
