"""
# Churn

Scores every customer with the **latest** model.
"""
from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from kubernetes.client import models as k8s

models = k8s.V1Volume(name="models", persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="models"))

with DAG(
    "churn-batch",
    description="Churn within 30 days",
    doc_md=__doc__,
    default_args={"owner": "risk-team", "retries": 2, "retry_delay": timedelta(minutes=5)},
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["nightly"],
    params={"SCORING_DATE": ""},
) as dag:
    KubernetesPodOperator(
        task_id="score",
        name="churn-score",
        image="localhost/busybox:1",
        cmds=["sh", "-c"],
        arguments=['test "$DB_PASSWORD" = "$(cat /secrets/db/password)" && echo "$MODEL_NAME scored for $SCORING_DATE"; ls /models'],
        env_vars={"MODEL_NAME": "churn", "SCORING_DATE": "{{ params.SCORING_DATE }}"},
        secrets=[Secret("env", "DB_PASSWORD", "churn-db", "password"), Secret("volume", "/secrets/db", "churn-db")],
        volumes=[models],
        volume_mounts=[k8s.V1VolumeMount(name="models", mount_path="/models")],
        container_resources=k8s.V1ResourceRequirements(requests={"cpu": "10m", "memory": "16Mi"}, limits={"memory": "64Mi"}),
        execution_timeout=timedelta(hours=2),
        get_logs=True,
        on_finish_action="delete_pod",
    )
