"""Writes the pods that Airflow makes of the specs in the folder above.

    pip install apache-airflow==3.3.2 apache-airflow-providers-cncf-kubernetes==10.25.0
    AIRFLOW_HOME=$(mktemp -d) python pods.py

Objects ({__type__: ...}) and plain mappings become what dag-factory hands to the
operator; where that is a mapping and the operator wants an object, it is made one.
"""

import importlib
import json
import pathlib
from types import SimpleNamespace

import jinja2
import yaml
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from airflow.sdk import DAG
from kubernetes.client import ApiClient

RUN_ID = "manual__2026-11-23T19:23:13.982876+00:00"
CLASSES = {
    "container_resources": "V1ResourceRequirements",
    "container_security_context": "V1SecurityContext",
    "dns_config": "V1PodDNSConfig",
    "env_from": "list[V1EnvFromSource]",
    "env_vars": "list[V1EnvVar]",
    "full_pod_spec": "V1Pod",
    "host_aliases": "list[V1HostAlias]",
    "init_containers": "list[V1Container]",
    "ports": "list[V1ContainerPort]",
    "security_context": "V1PodSecurityContext",
    "volume_mounts": "list[V1VolumeMount]",
    "volumes": "list[V1Volume]",
}
HERE = pathlib.Path(__file__).parent
client = ApiClient()


def plain(value):
    """Turns {__type__: ...} into what Kubernetes reads."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    fields = {k: plain(v) for k, v in value.items() if k != "__type__"}
    module, _, name = value.get("__type__", "").rpartition(".")
    if name == "Secret" or not name:
        return fields
    return client.sanitize_for_serialization(getattr(importlib.import_module(module), name)(**fields))


def argument(name, value):
    value = plain(value)
    if name == "secrets":
        return [Secret(**{"deploy_target": None, **s}) for s in value]
    if name in CLASSES and not (name == "env_vars" and isinstance(value, dict)):
        return client._ApiClient__deserialize(value, CLASSES[name])
    return value


def pod(dag_id, task):
    own = {k: argument(k, v) for k, v in task.items() if k != "operator"}
    with DAG(dag_id, schedule=None):
        operator = KubernetesPodOperator(**own)
    context = {
        "ti": SimpleNamespace(dag_id=dag_id, task_id=task["task_id"], map_index=-1, try_number=2),
        "dag": SimpleNamespace(parent_dag=None),
        "dag_run": SimpleNamespace(conf={}),
        "params": {"SCORING_DATE": ""},
        "run_id": RUN_ID,
        "ds": "2026-11-23",
    }
    operator.render_template_fields(context, jinja2.Environment())
    return client.sanitize_for_serialization(operator.build_pod_request_obj(context, dry_run=True))


for spec in sorted(HERE.parent.glob("*.yaml")):
    if spec.name.endswith(".pod.yaml"):
        continue
    [(dag_id, dag)] = yaml.safe_load(spec.read_text()).items()
    [task] = dag["tasks"]
    text = json.dumps(pod(dag_id, task), indent=1, sort_keys=True)
    (HERE / f"{spec.stem}.json").write_text(text + "\n")
