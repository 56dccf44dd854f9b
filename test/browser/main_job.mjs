// The main job as a person does it: look at the table, un-pause, trigger with a
// config, follow the log, open a task's window in the graph, read the code.
//
//	node main_job.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [url, shots] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
const problems = [];
page.on("console", (m) => { if (m.type() === "error") problems.push(m.text()); });
page.on("pageerror", (e) => problems.push(String(e)));
let bytes = 0;
page.on("response", async (r) => { bytes += Number(r.headers()["content-length"] || 0); });

const shot = async (name) => { if (shots) await page.screenshot({ path: `${shots}/${name}.png` }); };
const row = (id) => page.locator(`#dag-${id}`);

// The table: four DAGs, all paused.
await page.goto(url);
for (const id of ["churn-model", "churn-model-retrain", "fraud-model", "fraud-model-retrain"]) {
  await row(id).waitFor();
  assert.equal(await row(id).locator("form.toggle button").getAttribute("aria-checked"), "false", `${id} is paused`);
}
assert.ok(bytes < 100_000, `first load has ${bytes} bytes`);
await shot("dags");

// The toggle moves at once and stays after a reload.
await row("fraud-model").locator("form.toggle button").click();
await page.locator('#dag-fraud-model form.toggle button[aria-checked="true"]').waitFor();
await page.reload();
await page.locator('#dag-fraud-model form.toggle button[aria-checked="true"]').waitFor();

// Filters and search.
await page.goto(`${url}/?q=fraud`);
assert.equal(await page.locator("table.dags tbody tr").count(), 2, "search finds the fraud model's DAGs");

// Trigger with a config; a wrong one is explained and kept.
await page.goto(`${url}/dags/churn-model/trigger`);
await page.fill("#conf", '{"PATH": "/tmp"}');
await page.getByRole("button", { name: "Trigger DAG w/ config" }).click();
await page.getByText("PATH").first().waitFor();
assert.match(await page.inputValue("#conf"), /PATH/, "what was typed is kept");
await page.fill("#conf", '{"SCORING_DATE": "2026-01-31"}');
await shot("trigger");
await page.getByRole("button", { name: "Trigger DAG w/ config" }).click();
await page.waitForURL(/\/dags\/churn-model\/runs\//);
const run = page.url();
await shot("run");

// The log is followed to its end and says the date.
await page.goto(`${run}/tasks/run_model/log`);
await page.locator("#log", { hasText: "2026-01-31" }).waitFor();
await page.locator("#logstate", { hasText: "complete" }).waitFor();
await shot("log");

// A retraining, seen live in the graph; a click on a task opens its window.
await page.goto(`${url}/dags/churn-model-retrain/trigger`);
await page.getByRole("button", { name: "Trigger DAG", exact: true }).click();
await page.waitForURL(/\/dags\/churn-model-retrain\/runs\//);
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("svg.graph a.node").nth(3).waitFor();
assert.equal(await page.locator("svg.graph a.node").count(), 4, "the graph has four tasks");
await page.locator("svg.graph a.node.s-success").nth(3).waitFor({ timeout: 60_000 });
await page.locator("svg.graph a.node").first().click();
await page.locator("#window[open] #task").getByRole("link", { name: "Log" }).first().waitFor();
await shot("graph");

// Code, runs, models, import errors, audit: they open and say something.
for (const [path, text] of [
  ["/dags/churn-model/code", "KubernetesPodOperator"], ["/dags/churn-model/runs", "manual__"],
  ["/dags/churn-model/details", "Europe/Moscow"], ["/models", "churn-model"], ["/import-errors", ""], ["/audit", "trigger"],
]) {
  const answer = await page.goto(url + path);
  assert.equal(answer.status(), 200, path);
  assert.ok((await page.content()).includes(text), `${path} shows ${text}`);
  await shot(path.slice(1).replaceAll("/", "-"));
}

// Deleting asks first, and the DAG leaves the table.
await page.goto(url);
await row("fraud-model-retrain").getByRole("link", { name: /Delete/ }).click();
await shot("delete");
await page.getByRole("button", { name: /Delete|Remove/ }).click();
await page.waitForURL(/./);
await page.goto(url);
await row("fraud-model-retrain").waitFor({ state: "detached" });

assert.deepEqual(problems.filter((p) => !p.includes("422")), [], "the browser reports no problem");
await browser.close();
console.log("ok");
