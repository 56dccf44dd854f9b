"""The example DAGs of "dagwright dev" for a real Airflow, with tasks that need no cluster."""

import datetime

import pendulum

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

common = {
    "start_date": pendulum.datetime(2024, 1, 1, tz="Europe/Moscow"),
    "catchup": False,
    "is_paused_upon_creation": True,
    "max_active_runs": 1,
    "default_args": {"owner": "risk-team", "retries": 1, "retry_delay": datetime.timedelta(seconds=300), "do_xcom_push": False},
    "params": {
        "SCORING_DATE": Param(None, description="Score this date instead of the run's own", format="date", type=["null", "string"]),
    },
}

with DAG("churn-model", description="Scoring of churn-model", schedule="0 6 * * *", tags=["scoring", "churn-model"], **common):
    BashOperator(task_id="run_model", bash_command="echo scoring")

with DAG("churn-model-retrain", description="Retraining of churn-model", schedule="0 3 1 * *", tags=["retrain", "churn-model"], **common):
    before = None
    for name in ("prepare_data", "train_model", "evaluate_model", "register_model"):
        task = BashOperator(task_id=name, bash_command=f"echo {name}")
        if before:
            before >> task
        before = task
