"""Retrains the fraud model in four steps, each a task of its own:

    python retrain.py prepare_data | train_model | evaluate_model | register_model

The steps hand files to one another in ARTIFACTS_DIR. The better model is registered
in MODEL_REGISTRY, where main.py finds it."""

import os
import sys

import fraud

FOLDS = 8


def artifact(name):
    run = os.environ.get("AIRFLOW_CTX_DAG_RUN_ID", "local").replace("/", "_")
    return os.path.join(os.environ.get("ARTIFACTS_DIR") or os.path.join(fraud.HERE, "artifacts", run), name)


def prepare_data():
    rows = fraud.read_transactions()
    days = sorted({r["date"] for r in rows})
    first = days[len(days) * 3 // 4]
    before = [r for r in rows if r["date"] < first]
    after = [r for r in rows if r["date"] >= first]
    fraud.write_json(artifact("train.json"), before)
    fraud.write_json(artifact("test.json"), after)
    fraud.log(f"prepared {len(before)} transactions before {first} to learn from and {len(after)} to test with")


def train_model():
    """Chooses the smoothing by cross-validation, then trains on everything."""
    rows = fraud.read_json(artifact("train.json"))
    best = None
    for smoothing in (0.1, 0.3, 1, 3, 10):
        loss = 0.0
        for fold in range(FOLDS):
            model = fraud.train([r for i, r in enumerate(rows) if i % FOLDS != fold], smoothing)
            loss += fraud.log_loss(model, [r for i, r in enumerate(rows) if i % FOLDS == fold]) / FOLDS
        fraud.log(f"smoothing {smoothing:4}  loss {loss:.4f}")
        if best is None or loss < best[0]:
            best = (loss, smoothing)
    fraud.write_json(artifact("candidate.json"), fraud.train(rows, best[1]))
    fraud.log(f"trained on {len(rows)} transactions with smoothing {best[1]}")


def evaluate_model():
    rows = fraud.read_json(artifact("test.json"))
    current, path = fraud.current_model()
    report = {}
    for name, model in (("current", current), ("candidate", fraud.read_json(artifact("candidate.json")))):
        report[name] = {"log_loss": fraud.log_loss(model, rows), "recall": fraud.recall_at(model, rows, 0.2)}
        fraud.log(f"{name:9s}  log loss {report[name]['log_loss']:.4f}  recall in the top fifth {report[name]['recall']:.2f}")
    report["better"] = report["candidate"]["log_loss"] < report["current"]["log_loss"]
    report["current"]["path"] = os.path.basename(path)
    fraud.write_json(artifact("report.json"), report)
    fraud.log("the candidate is", "better" if report["better"] else "not better")


def register_model():
    if not fraud.read_json(artifact("report.json"))["better"]:
        fraud.log("kept the current model")
        return
    model = fraud.read_json(artifact("candidate.json"))
    current, _ = fraud.current_model()
    if {**current, "version": 0} == {**model, "version": 0}:
        fraud.log("registered already, by an earlier try")
        return
    model["version"] = current.get("version", 0) + 1
    fraud.write_json(os.path.join(fraud.registry(), f"model-{model['version']}.json"), model)
    fraud.write_json(os.path.join(fraud.registry(), "current.json"), model)
    fraud.log("registered model version", model["version"])


STEPS = {f.__name__: f for f in (prepare_data, train_model, evaluate_model, register_model)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STEPS:
        print("usage: python retrain.py", " | ".join(STEPS), file=sys.stderr)
        sys.exit(2)
    STEPS[sys.argv[1]]()
