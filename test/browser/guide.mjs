// The guide, point by point, as somebody who knows only the guide would do it:
// every thing is looked for by its visible text and role.
//
//	node guide.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { button, done, expected, link, newPage, off, on, row, shot, toggle, url } from "./browser.mjs";

expected.push("422"); // a config with a fault is refused
const page = await newPage();
const loaded = [];
page.on("response", (r) => loaded.push(r));

// The main page is a table of DAGs; a scoring DAG is named as the project, its
// retraining with "-retrain"; new ones are paused.
await page.goto(url);
await page.getByRole("table").waitFor();
for (const id of ["churn-model", "churn-model-retrain", "fraud-model", "fraud-model-retrain"]) {
  await link(row(page, id), id).first().waitFor();
  await off(page, id);
}
await page.waitForLoadState("load");
let bytes = 0;
for (const r of loaded) if (!r.url().includes("/events")) bytes += (await r.request().sizes()).responseBodySize;
assert.ok(bytes <= 60_000, `the first load has ${bytes} bytes, want at most 60,000`);
assert.ok(loaded.filter((r) => !r.url().includes("/events")).length <= 5, `the first load has ${loaded.length} requests: ${loaded.map((r) => r.url())}`);
await shot(page, "dags");

// Columns, by the guide's numbers 4 to 9.
for (const name of ["DAG", "Runs", "Schedule", "Last run", "Next run", "Recent tasks", "Actions"]) {
  await page.getByRole("columnheader", { name, exact: true }).waitFor();
}

// 4: the toggle moves at once and stays after a reload.
await toggle(page, "fraud-model").click();
await on(page, "fraud-model");
await page.reload();
await on(page, "fraud-model");

// 1 to 3: the filters, with counts that a toggle changes.
await page.getByRole("link", { name: "All 4" }).waitFor();
await page.getByRole("link", { name: "Active 1" }).click();
await page.waitForURL(/state=active/);
assert.equal(await page.locator("table.dags tbody tr").count(), 1);
await page.getByRole("link", { name: "Paused 3" }).click();
await page.waitForURL(/state=paused/);
assert.equal(await page.locator("table.dags tbody tr").count(), 3);

// 7: search, as one types, by name, tag and owner; the address keeps it.
await page.goto(url);
for (const [text, rows] of [["FRAUD", 2], ["retrain", 2], ["risk-team", 2], ["no such model", 0]]) {
  await page.getByRole("searchbox").fill(text);
  await page.waitForFunction((n) => document.querySelectorAll("table.dags tbody tr").length === n, rows);
}
assert.match(page.url(), /q=no\+such\+model/);
await page.getByText("No DAG matches").waitFor();

// 6: resting on the schedule shows more about it.
await page.goto(url);
await row(page, "churn-model").locator(".schedule").hover();
const tip = row(page, "churn-model").getByRole("tooltip");
await tip.getByText("At 06:00").waitFor();
await tip.getByText("Time zone: Europe/Moscow").waitFor();
assert.equal(await tip.getByRole("listitem").count(), 5, "the next five runs");
await shot(page, "schedule");

// 9: the run button offers both ways; a config with a fault is explained at its
// line and kept.
await row(page, "churn-model").getByRole("link", { name: "Trigger churn-model" }).click();
const dialog = page.getByRole("dialog");
await button(dialog, "Trigger DAG").waitFor();
await dialog.getByLabel("Config as JSON").fill('{\n  "SCORING_DATE":\n}');
await dialog.getByText("Not valid JSON: line 3").waitFor();
await dialog.locator(".gutter .bad", { hasText: "3" }).waitFor();
await dialog.getByLabel("Config as JSON").fill('{"PATH": "/tmp"}');
await button(dialog, "Trigger DAG w/ config").click();
await dialog.locator("p.error", { hasText: "PATH" }).waitFor();
assert.match(await dialog.getByLabel("Config as JSON").inputValue(), /PATH/);
// The values become environment variables: the preview shows them, the log too.
await dialog.getByLabel("Config as JSON").fill('{"SCORING_DATE": "2026-01-31"}');
await dialog.locator("#preview tr", { hasText: "SCORING_DATE" }).getByText("2026-01-31").first().waitFor();
await shot(page, "trigger");
await button(dialog, "Trigger DAG w/ config").click();
await page.waitForURL(/\/dags\/churn-model\/runs\//);
const run = page.url();
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
await shot(page, "run");

// A trigger un-pauses the DAG. 5 and 8: runs and tasks by state, each a link.
await page.goto(url);
await on(page, "churn-model");
await row(page, "churn-model").getByRole("link", { name: "tasks of the last run, success: 1" }).waitFor();
await row(page, "churn-model").getByRole("link", { name: "runs, success: 1" }).click();
await page.waitForURL(/\/dags\/churn-model\/runs\?state=success/);
await page.getByText("manual__").first().waitFor();

// The name leads to tabs, among them Graph and Code.
await page.goto(url);
await link(row(page, "churn-model"), "churn-model").first().click();
await link(page, "Graph").waitFor();
await page.getByRole("link", { name: "run_model: success" }).waitFor();
await shot(page, "graph-scoring");
// A click on run_model opens a small window with "Log".
await page.getByRole("link", { name: "run_model: success" }).click();
await shot(page, "task");
await link(page.getByRole("dialog"), "Log").click();
await page.getByRole("log").getByText("scoring date: 2026-01-31").waitFor();
await page.getByText("The log is complete.").waitFor();
await shot(page, "log");
await link(page, "Code").click();
await page.getByText("KubernetesPodOperator").waitFor();
await shot(page, "code");

// Log search: counts, and marks the line.
await page.goto(`${run}/tasks/run_model/log`);
await page.getByPlaceholder("Search the log").fill("CUSTOMERS:");
await page.locator("#hits", { hasText: "1 / 1" }).waitFor();
await page.locator(".ll.current", { hasText: "customers:" }).waitFor();

// Retraining has four tasks, seen live in the graph.
await page.goto(`${url}/dags/churn-model-retrain`);
await page.getByRole("main").getByRole("link", { name: "Trigger", exact: true }).click();
await button(page.getByRole("dialog"), "Trigger DAG").click();
await page.waitForURL(/\/dags\/churn-model-retrain\/runs\//);
await page.goto(`${url}/dags/churn-model-retrain/graph`);
assert.equal(await page.locator("svg.graph a.node").count(), 4, "the graph has four tasks");
await page.locator("svg.graph a.node.s-running").first().waitFor();
await shot(page, "graph-running");
await page.locator("svg.graph a.node.s-success").nth(3).waitFor();
await shot(page, "graph");

// The other pages open and say something.
for (const [path, text] of [
  ["/dags/churn-model-retrain/grid", "evaluate_model"], ["/dags/churn-model-retrain/gantt", "Waited"],
  ["/dags/churn-model/runs", "manual__"], ["/dags/churn-model/details", "Catch-up"], ["/dags/churn-model/audit", "Un-paused the DAG"],
  ["/models", "churn-model"], ["/import-errors", "All files are valid"], ["/audit", "Triggered a run"],
]) {
  const answer = await page.goto(url + path);
  assert.equal(answer.status(), 200, path);
  await page.getByRole("main").getByText(text).first().waitFor();
  await shot(page, path.slice(1).replaceAll("/", "-"));
}

// 9: the delete button asks first; the DAG leaves the table by itself.
await page.goto(url);
await row(page, "fraud-model-retrain").getByRole("link", { name: "Delete the file of fraud-model-retrain" }).click();
await shot(page, "delete");
await link(page.getByRole("dialog"), "Cancel").click();
await row(page, "fraud-model-retrain").getByRole("link", { name: "Delete the file of fraud-model-retrain" }).click();
await button(page.getByRole("dialog"), "Delete the DAG file").click();
await page.waitForURL((u) => u.pathname === "/");
await row(page, "fraud-model-retrain").waitFor({ state: "detached" });
await done();
