"""Prints the arguments of the models of the Kubernetes client that a pod can have, in the
order of their positions, one class a line: V1EnvVar name value value_from.

    $(test/airflow/python) test/airflow/positions.py >importer/positions.txt"""

import inspect
import re

from kubernetes.client import models


def parts(name, seen):
    """Adds a model and those of its attributes."""
    if name in seen or not hasattr(models, name):
        return
    seen.add(name)
    for kind in getattr(models, name).openapi_types.values():
        for part in re.findall(r"V1\w+", kind):
            parts(part, seen)


seen = set()
for root in ("V1Pod", "V1PodTemplateSpec"):
    parts(root, seen)
for name in sorted(seen):
    names = [p for p in inspect.signature(getattr(models, name).__init__).parameters if p not in ("self", "local_vars_configuration")]
    print(name, *names)
