"""Scores the customers of one date: how likely is each of them to leave?

SCORING_DATE (YYYY-MM-DD) chooses the date; LOGICAL_DATE, then today, stand in for
it. The newest snapshot of customers up to that date is scored."""

import csv
import datetime
import os
import sys

import churn


def scoring_date():
    text = os.environ.get("SCORING_DATE") or os.environ.get("LOGICAL_DATE") or datetime.date.today().isoformat()
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:
        sys.exit(f"SCORING_DATE {text!r} is not a date; want YYYY-MM-DD")


def main():
    date = scoring_date()
    churn.log("scoring date:", date)
    model, path = churn.current_model()
    churn.log("model:", os.path.basename(path), "version", model.get("version", 0))
    rows = churn.read_customers()
    snapshots = sorted({r["snapshot_date"] for r in rows if r["snapshot_date"] <= date.isoformat()})
    if not snapshots:
        sys.exit(f"no snapshot of customers up to {date}")
    chosen = [r for r in rows if r["snapshot_date"] == snapshots[-1]]
    churn.log(f"snapshot: {snapshots[-1]} with {len(chosen)} customers")

    scored = sorted(((churn.probability(model, r), r["customer_id"]) for r in chosen), reverse=True)
    output = os.path.join(os.environ.get("OUTPUT_DIR") or "output", f"churn-{date}.csv")
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "churn_probability"])
        writer.writerows((customer, f"{p:.4f}") for p, customer in scored)

    likely = sum(p >= 0.5 for p, _ in scored)
    churn.log(f"scored {len(scored)} customers: {likely} are likely to leave, mean probability {sum(p for p, _ in scored) / len(scored):.3f}")
    for p, customer in scored[:3]:
        churn.log(f"  {customer}  {p:.3f}")
    churn.log("written:", output)


if __name__ == "__main__":
    main()
