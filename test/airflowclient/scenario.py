"""Walks through Airflow's REST API with Airflow's own client.

The scenario knows nothing of dagwright: it runs unchanged against a real
Airflow. What must hold on both is checked here. With --answers each answer is
also written to a file, so that compare.py can lay two of them side by side.

    scenario.py --url http://127.0.0.1:8080 [--token TOKEN] [--answers FILE]

The instance must have the DAGs churn-model (a schedule, one task run_model) and
churn-model-retrain (no schedule, a chain of tasks), as "dagwright dev" has them.
"""

import argparse
import datetime
import json
import sys
import time
import urllib.request

import airflow_client.client as airflow
from airflow_client.client.exceptions import ApiException

SCORING, RETRAIN = "churn-model", "churn-model-retrain"
DAY = datetime.datetime(2026, 1, 5, 3, 0, tzinfo=datetime.timezone.utc)


class Scenario:
    def __init__(self, url, token):
        self.url, self.token = url, token
        configuration = airflow.Configuration(host=url)
        configuration.access_token = token or None
        self.client = airflow.ApiClient(configuration)
        self.answers = {}

    def api(self, name):
        return getattr(airflow, name)(self.client)

    def note(self, step, answer):
        """Keeps an answer of a step and returns it."""
        plain = self.client.sanitize_for_serialization(answer)
        self.answers[step] = plain
        return answer

    def refused(self, step, status, call, *args, **kwargs):
        """A call that must be refused with a status."""
        for _ in range(5):
            try:
                call(*args, **kwargs)
            except ApiException as e:
                body = json.loads(e.body)
                # What a real Airflow says while SQLite is locked; dagwright never does.
                if e.status == 500 and isinstance(body["detail"], dict) and body["detail"].get("reason") == "Database error":
                    time.sleep(1)
                    continue
                return self.refusal(step, status, e, body)
            raise SystemExit(f"{step}: was not refused")
        raise SystemExit(f"{step}: the database stays locked")

    def refusal(self, step, status, e, body):
        self.answers[step] = {"status": e.status, "body": body}
        check(e.status == status, f"{step}: status {e.status}, want {status}: {e.body}")
        check("detail" in body, f"{step}: no detail in {e.body}")
        return body

    def get(self, path, accept, method="GET", body=None):
        """A plain request, for what the client cannot show: headers and media types."""
        headers = {"Accept": accept, "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        request = urllib.request.Request(self.url + "/api/v2" + path, headers=headers, method=method, data=body)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.headers.get_content_type(), answer.read().decode()

    # The steps, in order.

    def instance(self):
        self.note("version", self.api("VersionApi").get_version())
        health = self.note("health", self.api("MonitorApi").get_health())
        check(health.metadatabase.status == "healthy", "the database is not healthy")

    def dags(self):
        api = self.api("DAGApi")
        found = self.note("dags", api.get_dags(dag_id_pattern="churn", order_by=["dag_id"]))
        check([d.dag_id for d in found.dags] == [SCORING, RETRAIN], "list of DAGs")
        self.note("dags by tag", api.get_dags(tags=["churn-model"], tags_match_mode="all", limit=1))
        self.note("dags by owner", api.get_dags(owners=["nobody"]))
        self.note("dag", api.get_dag(SCORING))
        details = self.note("dag details", api.get_dag_details(RETRAIN))
        check(details.latest_dag_version.version_number >= 1, "no version in the details")
        self.refused("absent dag", 404, api.get_dag, "absent")
        self.refused("absent dag details", 404, api.get_dag_details, "absent")
        self.refused("dags in a wrong order", 400, api.get_dags, order_by=["nope"])
        self.note("tags", api.get_dag_tags())
        tasks = self.note("tasks", self.api("TaskApi").get_tasks(RETRAIN))
        check(tasks.total_entries == len(tasks.tasks) and tasks.total_entries > 1, "list of tasks")
        self.note("task", self.api("TaskApi").get_task(SCORING, "run_model"))
        self.refused("absent task", 404, self.api("TaskApi").get_task, SCORING, "absent")
        for dag_id in (SCORING, RETRAIN):
            dag = self.note("unpause " + dag_id, api.patch_dag(dag_id, airflow.DAGPatchBody(is_paused=False)))
            check(dag.is_paused is False, "the DAG is still paused")
        self.refused("pause an absent dag", 404, api.patch_dag, "absent", airflow.DAGPatchBody(is_paused=True))
        many = self.note("pause many", api.patch_dags(airflow.DAGPatchBody(is_paused=False), dag_id_pattern="churn-model"))
        check(many.total_entries == 2, "pause by pattern")

    def sources(self):
        versions = self.note("versions", self.api("DagVersionApi").get_dag_versions(RETRAIN))
        check(versions.total_entries >= 1, "no version")
        self.note("version of a dag", self.api("DagVersionApi").get_dag_version(RETRAIN, 1))
        self.refused("absent version", 404, self.api("DagVersionApi").get_dag_version, RETRAIN, 999)
        source = self.note("source", self.api("DagSourceApi").get_dag_source(SCORING))
        media, text = self.get(f"/dagSources/{SCORING}", "text/plain")
        check(media == "text/plain" and text == source.content, "the source as text differs")
        self.refused("absent source", 404, self.api("DagSourceApi").get_dag_source, "absent")

    def trigger(self):
        api = self.api("DagRunApi")
        self.refused("trigger an absent dag", 404, api.trigger_dag_run, "absent", body(None))
        run = self.note("trigger", api.trigger_dag_run(RETRAIN, body(DAY, dag_run_id="nightly", conf={"SINCE": "2026-01-01"}, note="by hand")))
        check(run.state == "queued" and run.conf == {"SINCE": "2026-01-01"} and run.dag_run_id == "nightly", f"the triggered run: {run}")
        self.refused("trigger the same id", 409, api.trigger_dag_run, RETRAIN, body(DAY + datetime.timedelta(days=1), dag_run_id="nightly"))
        self.refused("trigger the same date", 409, api.trigger_dag_run, RETRAIN, body(DAY, dag_run_id="another"))
        self.refused("trigger with a wrong id", 400, api.trigger_dag_run, RETRAIN, body(DAY + datetime.timedelta(days=2), dag_run_id="a b"))
        self.refused("trigger a scheduled id", 400, api.trigger_dag_run, RETRAIN, body(DAY + datetime.timedelta(days=2), dag_run_id="scheduled__x"))
        self.await_run("nightly", "success")

    def await_run(self, run_id, state, dag_id=RETRAIN):
        api = self.api("DagRunApi")
        for _ in range(600):
            run = api.get_dag_run(dag_id, run_id)
            if run.state in ("success", "failed"):
                check(run.state == state, f"run {run_id} ended as {run.state}, want {state}")
                return run
            time.sleep(0.5)
        raise SystemExit(f"run {run_id} is {run.state} after five minutes")

    def runs(self):
        api = self.api("DagRunApi")
        self.note("run", api.get_dag_run(RETRAIN, "nightly"))
        self.refused("absent run", 404, api.get_dag_run, RETRAIN, "absent")
        self.note("runs", api.get_dag_runs(RETRAIN, run_type=["manual"]))
        found = self.note("runs of all dags", api.get_dag_runs("~", state=["success"], run_type=["manual"], dag_id_pattern=RETRAIN))
        check(found.total_entries == 1, "runs of all DAGs by state")
        self.note("runs by date", api.get_dag_runs(RETRAIN, logical_date_gte=DAY, logical_date_lte=DAY))
        self.note("runs by part of the id", api.get_dag_runs(RETRAIN, run_id_pattern="night", order_by=["-run_after"]))
        self.refused("runs in a wrong order", 400, api.get_dag_runs, RETRAIN, order_by=["nope"])
        self.refused("runs in a wrong state", 422, api.get_dag_runs, RETRAIN, state=["sad"])
        self.refused("runs of an absent dag", 404, api.get_dag_runs, "absent")
        batch = airflow.DAGRunsBatchBody(dag_ids=[RETRAIN], states=["success"], logical_date_gte=DAY, logical_date_lte=DAY, order_by="-id")
        self.note("runs in a batch", api.get_list_dag_runs_batch("~", batch))
        noted = self.note("note", api.patch_dag_run(RETRAIN, "nightly", airflow.DAGRunPatchBody(note="looked at"), update_mask=["note"]))
        check(noted.note == "looked at", "the note")
        media, lines = self.get(f"/dags/{RETRAIN}/dagRuns/nightly/wait?interval=1", "application/x-ndjson")
        check(json.loads(lines.splitlines()[-1])["state"] == "success", f"wait: {lines}")
        self.answers["wait"] = media

    def tasks(self):
        api = self.api("TaskInstanceApi")
        found = self.note("task instances", api.get_task_instances(RETRAIN, "nightly", order_by=["start_date"]))
        check({t.state for t in found.task_instances} == {"success"}, "states of tasks")
        first = found.task_instances[0].task_id
        self.note("task instance", api.get_task_instance(RETRAIN, "nightly", first))
        self.refused("absent task instance", 404, api.get_task_instance, RETRAIN, "nightly", "absent")
        self.note("tries", api.get_task_instance_tries(RETRAIN, "nightly", first))
        self.note("try", api.get_task_instance_try_details(RETRAIN, "nightly", first, 1))
        self.refused("absent try", 404, api.get_task_instance_try_details, RETRAIN, "nightly", first, 9)
        self.note("dependencies", api.get_task_instance_dependencies(RETRAIN, "nightly", first))
        self.note("task instances of all runs", api.get_task_instances("~", "~", state=["success"], dag_id_pattern=RETRAIN, order_by=["-start_date"], limit=2))
        self.refused("task instances in a wrong state", 422, api.get_task_instances, RETRAIN, "nightly", state=["sad"])
        batch = airflow.TaskInstancesBatchBody(dag_ids=[RETRAIN], dag_run_ids=["nightly"], state=["success"], order_by="start_date", page_limit=2)
        self.note("task instances in a batch", api.get_task_instances_batch("~", "~", batch))
        self.refused("external log", 400, api.get_external_log_url, RETRAIN, "nightly", first, 1)

    def logs(self):
        api = self.api("TaskInstanceApi")
        first = api.get_task_instances(RETRAIN, "nightly", order_by=["start_date"]).task_instances[0].task_id
        path = f"/dags/{RETRAIN}/dagRuns/nightly/taskInstances/{first}/logs/1"
        log = api.get_log(RETRAIN, "nightly", first, 1, full_content=True)
        plain = json.dumps(self.client.sanitize_for_serialization(log))
        check("prepar" in plain.lower(), f"the log of the task is not in {plain}")
        media, _ = self.get(path, "application/json")
        self.answers["log as json"] = media
        media, lines = self.get(path, "application/x-ndjson")
        for line in lines.splitlines():
            check("event" in json.loads(line), f"a line of the log: {line}")
        self.answers["log as ndjson"] = media
        self.refused("absent log", 404, api.get_log, RETRAIN, "nightly", first, 9)

    def clear(self):
        api, tasks = self.api("DagRunApi"), self.api("TaskInstanceApi")
        found = tasks.get_task_instances(RETRAIN, "nightly", order_by=["start_date"]).task_instances
        last = found[-1].task_id
        dry = self.note("clear, tried", tasks.post_clear_task_instances(RETRAIN, airflow.ClearTaskInstancesBody(
            dag_run_id="nightly", task_ids=[airflow.ClearTaskInstancesBodyTaskIdsInner(last)], only_failed=False)))
        check(dry.total_entries == 1, "dry run of a clear")
        dry = tasks.post_clear_task_instances(RETRAIN, airflow.ClearTaskInstancesBody(
            dag_run_id="nightly", task_ids=[airflow.ClearTaskInstancesBodyTaskIdsInner(last)], only_failed=False, include_upstream=True))
        check(dry.total_entries == len(found), "dry run of a clear with upstream")
        self.note("clear of what failed", tasks.post_clear_task_instances(RETRAIN, airflow.ClearTaskInstancesBody(dag_run_id="nightly")))
        self.refused("clear of an absent run", 404, tasks.post_clear_task_instances, RETRAIN, airflow.ClearTaskInstancesBody(dag_run_id="absent"))
        cleared = tasks.post_clear_task_instances(RETRAIN, airflow.ClearTaskInstancesBody(
            dry_run=False, dag_run_id="nightly", task_ids=[airflow.ClearTaskInstancesBodyTaskIdsInner(last)], only_failed=False))
        check([t.task_id for t in cleared.task_instances] == [last], "the cleared task")
        self.await_run("nightly", "success")
        tries = self.note("tries after a clear", tasks.get_task_instance_tries(RETRAIN, "nightly", last))
        check([t.try_number for t in tries.task_instances] == [1, 2], "tries after a clear")
        self.note("clear of a run, tried", api.clear_dag_run(RETRAIN, "nightly", airflow.DAGRunClearBody(only_failed=True)))

    def mark(self):
        tasks, api = self.api("TaskInstanceApi"), self.api("DagRunApi")
        last = tasks.get_task_instances(RETRAIN, "nightly", order_by=["start_date"]).task_instances[-1].task_id
        tried = self.note("mark, tried", tasks.patch_task_instance_dry_run(RETRAIN, "nightly", last, airflow.PatchTaskInstanceBody(new_state="failed")))
        check(tried.total_entries == 1, "dry run of a mark")
        marked = self.note("mark", tasks.patch_task_instance(RETRAIN, "nightly", last, airflow.PatchTaskInstanceBody(new_state="failed")))
        check(marked.task_instances[0].state == "failed", "the marked task")
        self.refused("mark twice", 409, tasks.patch_task_instance, RETRAIN, "nightly", last, airflow.PatchTaskInstanceBody(new_state="failed"))
        self.refused("mark an absent task", 404, tasks.patch_task_instance, RETRAIN, "nightly", "absent", airflow.PatchTaskInstanceBody(new_state="failed"))
        self.await_run_any("nightly")
        api.trigger_dag_run(RETRAIN, body(DAY + datetime.timedelta(days=9), dag_run_id="dropped"))
        self.await_run("dropped", "success")
        api.delete_dag_run(RETRAIN, "dropped")
        self.refused("deleted run", 404, api.get_dag_run, RETRAIN, "dropped")
        self.refused("delete an absent run", 404, api.delete_dag_run, RETRAIN, "absent")

    def await_run_any(self, run_id):
        for _ in range(600):
            if self.api("DagRunApi").get_dag_run(RETRAIN, run_id).state in ("success", "failed"):
                return
            time.sleep(0.5)
        raise SystemExit(f"run {run_id} does not end")

    def catalogue(self):
        stats = self.api("DagStatsApi").get_dag_stats(dag_ids=[RETRAIN])
        self.answers["states of stats"] = [s.state for s in stats.dags[0].stats]
        check(stats.total_entries == 1, "stats")
        self.note("import errors", self.api("ImportErrorApi").get_import_errors(filename_pattern="absent"))
        self.refused("absent import error", 404, self.api("ImportErrorApi").get_import_error, 999999)
        events = self.api("EventLogApi").get_event_logs(dag_id=RETRAIN, order_by=["-event_log_id"], limit=1)
        check(len(events.event_logs) == 1 and events.total_entries > 1, "event log")
        self.note("event", events.event_logs[0])
        self.note("event by id", self.api("EventLogApi").get_event_log(events.event_logs[0].event_log_id))
        self.refused("absent event", 404, self.api("EventLogApi").get_event_log, 999999999)
        self.note("pools", self.api("PoolApi").get_pools())
        self.refused("absent pool", 404, self.api("PoolApi").get_pool, "absent")
        self.note("variables", self.api("VariableApi").get_variables())
        self.refused("absent variable", 404, self.api("VariableApi").get_variable, "absent")
        self.note("connections", self.api("ConnectionApi").get_connections())
        self.note("assets", self.api("AssetApi").get_assets())
        self.note("warnings", self.api("DagWarningApi").list_dag_warnings())
        self.note("xcoms", self.api("XComApi").get_xcom_entries(RETRAIN, "nightly", self.first_task()))

    def first_task(self):
        return self.api("TaskApi").get_tasks(RETRAIN).tasks[0].task_id


def body(logical_date, **fields):
    return airflow.TriggerDAGRunPostBody(logical_date=logical_date, **fields)


def check(holds, what):
    if not holds:
        raise SystemExit("not so: " + what)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--url", required=True)
    options.add_argument("--token", default="")
    options.add_argument("--answers")
    args = options.parse_args()
    scenario = Scenario(args.url.rstrip("/"), args.token)
    steps = ["instance", "dags", "sources", "trigger", "runs", "tasks", "logs", "clear", "mark", "catalogue"]
    for step in steps:
        getattr(scenario, step)()
        print("done:", step, flush=True)
    if args.answers:
        with open(args.answers, "w") as f:
            json.dump(scenario.answers, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
