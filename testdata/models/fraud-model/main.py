"""Scores the transactions of one day: which of them look like fraud?

SCORING_DATE (YYYY-MM-DD) chooses the day; LOGICAL_DATE, then today, stand in for it.
When a day has no transactions the newest day before it is scored."""

import csv
import datetime
import os
import sys

import fraud


def main():
    text = os.environ.get("SCORING_DATE") or os.environ.get("LOGICAL_DATE") or datetime.date.today().isoformat()
    try:
        date = datetime.date.fromisoformat(text[:10])
    except ValueError:
        sys.exit(f"SCORING_DATE {text!r} is not a date; want YYYY-MM-DD")
    fraud.log("scoring date:", date)
    model, path = fraud.current_model()
    fraud.log("model:", os.path.basename(path), "version", model.get("version", 0))

    rows = fraud.read_transactions()
    days = sorted({r["date"] for r in rows if r["date"] <= date.isoformat()})
    if not days:
        sys.exit(f"no transactions up to {date}")
    chosen = [r for r in rows if r["date"] == days[-1]]
    scored = sorted(((fraud.probability(model, r), r) for r in chosen), key=lambda pair: -pair[0])
    fraud.log(f"day: {days[-1]} with {len(chosen)} transactions")

    output = os.path.join(os.environ.get("OUTPUT_DIR") or "output", f"fraud-{date}.csv")
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["transaction_id", "amount", "fraud_probability"])
        for p, row in scored:
            writer.writerow([row["transaction_id"], row["amount"], f"{p:.4f}"])
            fraud.log(f"  {row['transaction_id']}  {row['amount']:>9}  {p:.3f}{'  suspicious' if p >= 0.5 else ''}")
    fraud.log(f"scored {len(scored)} transactions: {sum(p >= 0.5 for p, _ in scored)} suspicious")
    fraud.log("written:", output)


if __name__ == "__main__":
    main()
