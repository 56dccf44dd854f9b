from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from kubernetes.client import models as k8s

volume = k8s.V1Volume(name="models", persistent_volume_claim=k8s.V1PersistentVolumeClaimVolumeSource(claim_name="models"))
mount = k8s.V1VolumeMount(name="models", mount_path="/models")
secret = Secret("env", "DB_PASSWORD", "churn-db", "password")

# Where the large nodes are. A GPU would stand here, too.
large = dict(
    node_selector={"kubernetes.io/os": "linux"},
    tolerations=[k8s.V1Toleration(key="large", operator="Exists", effect="NoSchedule")],
    labels={"team": "risk"},
    container_resources=k8s.V1ResourceRequirements(requests={"cpu": "20m"}, limits={"memory": "128Mi"}),
)


def step(name, script, **kwargs):
    return KubernetesPodOperator(
        task_id=name, name=name, image="localhost/busybox:1", cmds=["sh", "-ec"], arguments=[script],
        env_vars={"MODEL_NAME": "churn", "DATA": "/models/{{ run_id }}", **kwargs.pop("env", {})},
        secrets=[secret], volumes=[volume], volume_mounts=[mount], **kwargs)


with DAG(
    "churn-train",
    schedule="0 3 1 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "risk-team", "retries": 1, "retry_delay": timedelta(seconds=10)},
) as dag:
    start = EmptyOperator(task_id="start")
    prepare = step("prepare_data", 'mkdir -p "$DATA"; echo "$DB_PASSWORD" >"$DATA/data"', execution_timeout=timedelta(minutes=30))
    train = [
        step(f"train_{kind}", 'cp "$DATA/data" "$DATA/$KIND"', env={"KIND": kind}, **(large if kind == "net" else {}))
        for kind in ("trees", "net")
    ]
    evaluate = step("evaluate_model", 'cmp "$DATA/trees" "$DATA/net"; echo "equally good" >"$DATA/result"')
    register = step("register_model", 'cat "$DATA/result"; mv "$DATA/net" /models/current', retries=0)
    start >> prepare >> train >> evaluate >> register
