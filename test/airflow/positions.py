"""Prints the arguments that the Kubernetes client's models take by position.

    python positions.py >../../dag/positions.txt

One line for each model that a pod can hold: its name without V1, and its arguments in
their order."""

import inspect
import re

from kubernetes import client

known, waiting = {}, ["V1Pod"]
while waiting:
    name = waiting.pop()
    model = getattr(client, name, None)
    if name in known or model is None or not hasattr(model, "openapi_types"):
        continue
    arguments = list(inspect.signature(model.__init__).parameters)[1:]
    known[name] = [a for a in arguments if a != "local_vars_configuration"]
    for kind in model.openapi_types.values():
        waiting.extend(re.findall(r"V1\w+", kind))
for name in sorted(known):
    print(name.removeprefix("V1"), *known[name])
