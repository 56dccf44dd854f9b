"""What scoring and retraining of the fraud model share: the data, the features
and a naive Bayes classifier. Python's standard library is all it needs."""

import csv
import json
import math
import os
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data", "transactions.csv")


def log(*words):
    print(*words, flush=True)


def read_transactions():
    with open(DATA, newline="", encoding="utf-8") as file:
        return [{**row, "fraud": int(row["fraud"])} for row in csv.DictReader(file)]


def features(row):
    amount, hour = float(row["amount"]), int(row["hour"])
    return {
        "amount": min(int(math.log2(amount + 1)), 10),
        "night": int(hour < 6 or hour >= 23),
        "foreign_country": int(row["foreign_country"]),
        "new_device": int(row["new_device"]),
    }


def train(rows, smoothing):
    """Counts how often each value of a feature comes with fraud and without."""
    model = {"smoothing": smoothing, "classes": {}}
    for label in (0, 1):
        chosen = [features(r) for r in rows if r["fraud"] == label]
        counts = {}
        for row in chosen:
            for name, number in row.items():
                of_name = counts.setdefault(name, {})
                of_name[str(number)] = of_name.get(str(number), 0) + 1
        model["classes"][str(label)] = {"rows": len(chosen), "counts": counts}
    return model


def probability(model, row):
    logs = {}
    total = sum(c["rows"] for c in model["classes"].values())
    for label, seen in model["classes"].items():
        logs[label] = math.log((seen["rows"] + 1) / (total + 2))
        for name, number in features(row).items():
            counts = seen["counts"].get(name, {})
            values = 11 if name == "amount" else 2
            share = (counts.get(str(number), 0) + model["smoothing"]) / (seen["rows"] + model["smoothing"] * values)
            logs[label] += math.log(share)
    return 1 / (1 + math.exp(min(logs["0"] - logs["1"], 700)))


def log_loss(model, rows):
    total = 0.0
    for row in rows:
        p = min(max(probability(model, row), 1e-9), 1 - 1e-9)
        total -= math.log(p if row["fraud"] else 1 - p)
    return total / len(rows)


def recall_at(model, rows, share):
    """The share of frauds among the most suspicious transactions."""
    ranked = sorted(rows, key=lambda r: probability(model, r), reverse=True)
    caught = sum(r["fraud"] for r in ranked[: int(len(rows) * share)])
    return caught / max(sum(r["fraud"] for r in rows), 1)


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
