"""What scoring and retraining of the churn model share: the data, the features
and the logistic regression. Python's standard library is all it needs."""

import csv
import json
import math
import os
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data", "customers.csv")
FEATURES = ["tenure_months", "monthly_fee", "support_calls", "late_payments"]


def log(*words):
    print(*words, flush=True)


def read_customers():
    with open(DATA, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in FEATURES:
            row[name] = float(row[name])
        row["churned"] = int(row["churned"])
    return rows


def probability(model, row):
    z = model["bias"]
    for name in FEATURES:
        z += model["weights"][name] * (row[name] - model["mean"][name]) / model["scale"][name]
    return 1 / (1 + math.exp(-z))


def train(rows, epochs, rate=0.5, tell=lambda epoch, loss: None):
    """Fits a logistic regression by gradient descent."""
    mean = {n: sum(r[n] for r in rows) / len(rows) for n in FEATURES}
    scale = {n: max(math.sqrt(sum((r[n] - mean[n]) ** 2 for r in rows) / len(rows)), 1e-9) for n in FEATURES}
    model = {"bias": 0.0, "weights": dict.fromkeys(FEATURES, 0.0), "mean": mean, "scale": scale}
    for epoch in range(1, epochs + 1):
        bias, slopes, loss = 0.0, dict.fromkeys(FEATURES, 0.0), 0.0
        for row in rows:
            p = probability(model, row)
            error = p - row["churned"]
            bias += error
            for name in FEATURES:
                slopes[name] += error * (row[name] - mean[name]) / scale[name]
            loss -= math.log(max(p if row["churned"] else 1 - p, 1e-12))
        model["bias"] -= rate * bias / len(rows)
        for name in FEATURES:
            model["weights"][name] -= rate * slopes[name] / len(rows)
        tell(epoch, loss / len(rows))
    return model


def log_loss(model, rows):
    total = 0.0
    for row in rows:
        p = probability(model, row)
        total -= math.log(max(p if row["churned"] else 1 - p, 1e-12))
    return total / len(rows)


def auc(model, rows):
    """The chance that a customer who left is scored above one who stayed."""
    left = [probability(model, r) for r in rows if r["churned"]]
    stayed = [probability(model, r) for r in rows if not r["churned"]]
    wins = sum((a > b) + (a == b) / 2 for a in left for b in stayed)
    return wins / (len(left) * len(stayed))


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_json(path, value):
    """Writes a file that is whole under its name, or not there."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, half = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
    os.replace(half, path)


def registry():
    return os.environ.get("MODEL_REGISTRY") or os.path.join(HERE, "registry")


def current_model():
    """The registered model, else the one that is committed beside this file."""
    for path in (os.path.join(registry(), "current.json"), os.path.join(HERE, "model.json")):
        if os.path.exists(path):
            return read_json(path), path
    raise SystemExit("no model: neither registered nor in the repository")
