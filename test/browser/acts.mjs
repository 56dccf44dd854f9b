// What people do about a run that went wrong: read why, clear, mark, cancel, and
// the acts on several DAGs and runs at once.
//
//	node acts.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { button, confirm, done, link, newPage, off, on, row, shot, trigger, url } from "./browser.mjs";

const page = await newPage();

// A run for a date without data fails, and every page says why.
const run = await trigger(page, "churn-model", { SCORING_DATE: "1999-01-01" });
await page.locator("#run .state", { hasText: "up for retry" }).first().waitFor();
await page.goto(`${url}/dags/churn-model/graph`);
await page.locator("svg.graph a.node.s-up-for-retry").click();
await button(page.getByRole("dialog"), "Mark failed").click();
await confirm(page);
await page.locator("#notice", { hasText: "run_model was marked as" }).waitFor();
const now = new URL(page.url());
assert.deepEqual([now.pathname, now.searchParams.get("run")], ["/dags/churn-model/graph", decodeURIComponent(run.split("/").at(-1))],
  "one is where one was");
await page.locator("#run-state", { hasText: "failed" }).waitFor();
await page.goto(`${run}/tasks/run_model/log`);
await page.locator("#logwhy .alert", { hasText: "marked failed by anonymous" }).waitFor();
await page.getByRole("log").getByText("no snapshot of customers up to 1999-01-01").waitFor();
await shot(page, "log-failed");
await page.goto(`${url}/dags/churn-model/graph`);
await page.locator("#failures .alert").getByRole("link", { name: "Log" }).waitFor();
await shot(page, "graph-failed");

// Clear lets it run once more; the earlier try stays.
await page.locator("svg.graph a.node").click();
await button(page.getByRole("dialog"), "Clear").click();
await confirm(page);
await page.locator("#notice", { hasText: "1 task was cleared" }).waitFor();
await page.locator("svg.graph a.node.s-up-for-retry").waitFor();
await page.goto(`${run}/tasks/run_model/log`);
await link(page, "Try 1").waitFor();

// Mark success overrules it: the run succeeds.
await page.goto(`${run}/tasks/run_model`);
await button(page, "Mark success").click();
await confirm(page);
await page.locator("#run .state", { hasText: "success" }).first().waitFor();

// Rendered shows what the container got.
await page.goto(`${run}/tasks/run_model`);
await link(page, "Rendered").click();
await page.getByRole("dialog").getByText("AIRFLOW_CTX_DAG_RUN_ID").waitFor();
await page.getByRole("dialog").getByRole("cell", { name: "1999-01-01", exact: true }).first().waitFor();
await shot(page, "rendered");

// Cancel stops a task that runs.
const training = await trigger(page, "churn-model-retrain");
await page.goto(`${url}/dags/churn-model-retrain/gantt`);
await page.locator("#spans tr", { hasText: "running" }).getByRole("link", { name: "train_model" }).click();
await button(page.getByRole("dialog"), "Cancel task").click();
await confirm(page);
await page.waitForURL(/\/churn-model-retrain\/gantt\?run=/);
await page.locator("#run-state", { hasText: "failed" }).waitFor();
await shot(page, "gantt-cancelled");
await page.goto(training);
await page.locator("#run .state", { hasText: "failed" }).first().waitFor();
await page.getByText("stopped: cancelled by anonymous").first().waitFor();
await page.locator("#run .state", { hasText: "upstream failed" }).first().waitFor();

// "Trigger again" takes the config over.
await page.goto(run);
await link(page, "Trigger again").click();
await page.getByRole("dialog").getByText("was filled in").waitFor();
await shot(page, "trigger-again");
await page.keyboard.press("Escape");

// Several runs at once.
await page.goto(`${url}/dags/churn-model-retrain/runs`);
await page.getByLabel("Select all runs of this page").check();
await shot(page, "runs-bulk");
await button(page, "Clear failed tasks").click();
await confirm(page);
await page.locator("#notice", { hasText: "changed" }).waitFor();
await page.goto(training);
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();

// Several DAGs at once.
await page.goto(`${url}/?q=churn`);
await page.getByLabel("Select all DAGs of this page").check();
await button(page, "Pause").click();
await confirm(page);
await off(page, "churn-model");
await off(page, "churn-model-retrain");
assert.match(page.url(), /q=churn/, "the filter stays");
await row(page, "churn-model").getByRole("checkbox").check();
await button(page, "Un-pause").click();
await confirm(page);
await on(page, "churn-model");

// Everything is in the audit log.
await page.goto(`${url}/dags/churn-model/audit`);
for (const act of ["Cleared tasks", "Marked the task as success", "Marked the task as failed", "Paused the DAG", "Un-paused the DAG"]) {
  await page.locator("#entries").getByText(act, { exact: true }).first().waitFor();
}
await done();
