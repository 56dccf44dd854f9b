"""Retrains the churn model in four steps, each a task of its own:

    python retrain.py prepare_data | train_model | evaluate_model | register_model

The steps hand files to one another in ARTIFACTS_DIR. The better model is registered
in MODEL_REGISTRY, where main.py finds it."""

import os
import random
import sys

import churn


def artifacts():
    run = os.environ.get("AIRFLOW_CTX_DAG_RUN_ID", "local").replace("/", "_")
    return os.environ.get("ARTIFACTS_DIR") or os.path.join(churn.HERE, "artifacts", run)


def artifact(name):
    return os.path.join(artifacts(), name)


def prepare_data():
    rows = churn.read_customers()
    random.Random(7).shuffle(rows)
    cut = len(rows) * 3 // 4
    churn.write_json(artifact("train.json"), rows[:cut])
    churn.write_json(artifact("test.json"), rows[cut:])
    churn.log(f"prepared {cut} customers to learn from and {len(rows) - cut} to test with")


def train_model():
    rows = churn.read_json(artifact("train.json"))
    epochs = int(os.environ.get("EPOCHS") or 3000)

    def tell(epoch, loss):
        if epoch % 200 == 0 or epoch == 1:
            churn.log(f"epoch {epoch:4d}  loss {loss:.4f}")

    model = churn.train(rows, epochs, rate=0.01, tell=tell)
    churn.write_json(artifact("candidate.json"), model)
    churn.log(f"trained on {len(rows)} customers")


def evaluate_model():
    rows = churn.read_json(artifact("test.json"))
    candidate = churn.read_json(artifact("candidate.json"))
    current, path = churn.current_model()
    report = {
        name: {"auc": churn.auc(model, rows), "log_loss": churn.log_loss(model, rows)}
        for name, model in (("candidate", candidate), ("current", current))
    }
    report["better"] = report["candidate"]["log_loss"] < report["current"]["log_loss"]
    report["current"]["path"] = os.path.basename(path)
    churn.write_json(artifact("report.json"), report)
    for name in ("current", "candidate"):
        churn.log(f"{name:9s}  auc {report[name]['auc']:.3f}  log loss {report[name]['log_loss']:.4f}")
    churn.log("the candidate is", "better" if report["better"] else "not better")


def register_model():
    report = churn.read_json(artifact("report.json"))
    if not report["better"]:
        churn.log("kept the current model")
        return
    model = churn.read_json(artifact("candidate.json"))
    current, _ = churn.current_model()
    if {**current, "version": 0} == {**model, "version": 0}:
        churn.log("registered already, by an earlier try")
        return
    model["version"] = current.get("version", 0) + 1
    churn.write_json(os.path.join(churn.registry(), f"model-{model['version']}.json"), model)
    churn.write_json(os.path.join(churn.registry(), "current.json"), model)
    churn.log("registered model version", model["version"])


STEPS = {f.__name__: f for f in (prepare_data, train_model, evaluate_model, register_model)}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in STEPS:
        print("usage: python retrain.py", " | ".join(STEPS), file=sys.stderr)
        sys.exit(2)
    STEPS[sys.argv[1]]()
