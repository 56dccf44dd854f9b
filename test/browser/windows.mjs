// Pages and windows that speak of one thing and stay true: a run that is read is
// the run that is acted upon, the trigger form keeps what is typed and says what
// it will do, windows follow what happens, times tick, and an act says first what
// it would touch.
//
//	node windows.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { button, done, expected, link, newPage, off, on, row, shot, toggle, trigger, url } from "./browser.mjs";

expected.push("422", "409"); // forms with faults, and acts that are not possible any more, are refused
const page = await newPage();
const dialog = page.getByRole("dialog");
const runOf = (address) => decodeURIComponent(new URL(address).pathname.split("/")[4]);

// start starts a run beside the page, as somebody else would.
async function start(id) {
  const answer = await page.request.post(`${url}/api/v2/dags/${id}/dagRuns`, { data: { logical_date: null } });
  assert.equal(answer.status(), 200, await answer.text());
  return (await answer.json()).dag_run_id;
}

// heading is the run that the page says it shows, and the runs that its parts lead to.
const heading = () => page.evaluate(() => ({
  chosen: document.getElementById("run-choice")?.value,
  parts: [...new Set([...document.querySelectorAll("main svg a, #spans a, #failures a, #runchoice a[href*='/runs/']")]
    .map((a) => decodeURIComponent(a.getAttribute("href")).match(/\/runs\/([^/]+)/)?.[1]).filter(Boolean))],
}));

// A page that names a run stays with it when another starts, and one that names
// none follows the newest as a whole.
await page.goto(`${url}/dags/fraud-model/graph`);
const first = runOf(await trigger(page, "fraud-model"));
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
for (const tab of ["graph", "gantt"]) {
  const mine = (await page.request.get(`${url}/api/v2/dags/fraud-model/dagRuns?order_by=-id&limit=1`).then((a) => a.json())).dag_runs[0].dag_run_id;
  await page.goto(`${url}/dags/fraud-model/${tab}`);
  await page.getByText("Following the newest run").waitFor();
  assert.deepEqual(await heading(), { chosen: mine, parts: [mine] });
  await shot(page, `following-${tab}`);
  const follower = await page.context().newPage();
  await follower.goto(`${url}/dags/fraud-model/${tab}`);
  await link(page, "Stay on this run").click();
  await page.waitForURL(/\?run=/);
  await page.evaluate(() => { document.getElementById("main").dataset.sameDocument = "yes"; });
  const next = await start("fraud-model");
  await follower.locator(`#run-choice option[value="${next}"][selected]`).waitFor({ state: "attached" });
  await page.locator(`#run-choice option[value="${next}"]`).waitFor({ state: "attached" });
  assert.deepEqual(await heading(), { chosen: mine, parts: [mine] }, `a pinned ${tab} stays`);
  assert.equal(await page.locator("#main[data-same-document]").count(), 1, "the page was not loaded anew");
  await shot(page, `pinned-${tab}`);
  await follower.locator("#run-state", { hasText: "success" }).waitFor();
  const seen = await follower.evaluate(() => [...document.querySelectorAll("main svg a")].map((a) => decodeURIComponent(a.getAttribute("href"))));
  assert.ok(seen.length > 0 && seen.every((href) => href.includes(next)), `${tab} follows with all its parts: ${seen}`);
  await follower.close();
  await link(page, "Follow the newest run").click();
  await page.locator(`#run-choice option[value="${next}"][selected]`).waitFor({ state: "attached" });
}

// The log of a try stays that of this try when another begins, with its heading;
// so does the code of a version.
await page.goto(`${url}/dags/fraud-model/runs/${encodeURIComponent(first)}/tasks/run_model/log`);
await page.getByText("The log is complete.").waitFor();
const size = await page.locator("#loghead a[download]").getAttribute("href");
assert.equal((await page.request.post(`${url}/api/v2/dags/fraud-model/clearTaskInstances`, { data: { dag_run_id: first, only_failed: false, dry_run: false } })).status(), 200);
await link(page, "Try 2").waitFor();
assert.equal(await page.locator("#loghead a[aria-current]").innerText().then((text) => text.includes("Try 1")), true, "the heading still names the first try");
assert.equal(await page.locator("#loghead a[download]").getAttribute("href"), size);
await page.locator("#loghead .state", { hasText: "success" }).waitFor();

// The trigger window has one form with one button, which is named after what it
// will do, and marks what is required.
await page.goto(url);
const runs = async (id) => (await (await page.request.get(`${url}/api/v2/dags/${id}/dagRuns?limit=1`)).json()).total_entries;
const open = async () => { await row(page, "needy").getByRole("link", { name: "Trigger needy" }).click(); await dialog.getByLabel("Config as JSON").waitFor(); };
const had = await runs("needy");
await open();
assert.equal(await dialog.locator("button.primary").count(), 1, "one primary button");
assert.equal(await dialog.locator("form").count(), 1, "one form");
await dialog.locator("label", { hasText: "TARGET" }).getByText("required").waitFor();
assert.equal(await dialog.getByLabel("TARGET").getAttribute("aria-required"), "true");
await button(dialog, "Trigger DAG").waitFor();
await dialog.getByLabel("TARGET").fill("scores");
await button(dialog, "Trigger DAG w/ config").waitFor();
await dialog.getByLabel("TARGET").fill("");
await button(dialog, "Trigger DAG").waitFor();

// Neither a click beside it, nor Esc, nor Enter in a field loses what was typed or
// starts a run.
const json = '{\n  "SCORING_DATE": "2026-01-31"\n}';
await dialog.getByLabel("Config as JSON").fill(json);
await page.mouse.click(5, 400);
await page.getByText("Close the window with ✕ to discard it.").waitFor();
await shot(page, "trigger-typed");
assert.equal(await dialog.getByLabel("Config as JSON").inputValue(), json);
await dialog.getByLabel("Config as JSON").press("Escape");
await page.getByText("Press Esc again to discard it.").waitFor();
assert.equal(await dialog.getByLabel("Config as JSON").inputValue(), json);
for (const name of ["Note", "TARGET"]) {
  await dialog.getByLabel(name).focus();
  await page.keyboard.type("why");
  await page.keyboard.press("Enter");
}
await dialog.getByLabel("TARGET").fill("");
assert.equal(await runs("needy"), had, "Enter in a field starts nothing");

// A refusal leads to the first field that is wrong, under a summary.
await button(dialog, "Trigger DAG w/ config").click();
await dialog.locator("#faults").getByText("TARGET").waitFor();
await page.locator("[id='param.TARGET']:focus").waitFor();
const inView = await page.evaluate(() => {
  const [field, frame] = [document.activeElement.getBoundingClientRect(), document.getElementById("window").getBoundingClientRect()];
  return field.top >= frame.top && field.bottom <= frame.bottom;
});
assert.ok(inView, "the field is in view");
assert.equal(await dialog.getByLabel("Config as JSON").inputValue(), json);
await shot(page, "trigger-refused");
await page.mouse.click(5, 400);
assert.equal(await dialog.getByLabel("Config as JSON").inputValue(), json, "what was refused is not lost either");

// What is corrected is no longer told, nor is there a preview of what is wrong.
await dialog.getByText("Correct the fields first").waitFor();
await dialog.getByLabel("TARGET").fill("scores");
await dialog.locator("#faults").waitFor({ state: "detached" });
await dialog.locator("#preview tr", { hasText: "TARGET" }).getByText("scores").first().waitFor();
await dialog.getByLabel("Config as JSON").fill("{");
await dialog.locator("#error-conf", { hasText: "Not valid JSON" }).waitFor();
assert.equal(await dialog.locator("#preview table").count(), 0, "no preview of a form that is wrong");
assert.equal(await dialog.locator("#faults").count(), 0, "nothing was refused since");
await shot(page, "trigger-wrong");
await dialog.getByLabel("Config as JSON").fill(json);
await dialog.locator("#preview table").first().waitFor();

// The answer is lost after the run was made: the same form once more makes no second one.
await page.route("**/dags/needy/trigger", async (route) => {
  if (route.request().postData()?.includes("mode=preview")) return route.continue();
  await route.fetch({ maxRedirects: 0 });
  await route.abort();
});
expected.push("net::ERR_FAILED");
await button(dialog, "Trigger DAG w/ config").click();
await page.getByText("The server did not respond. If the action was done anyway").waitFor();
assert.equal(await runs("needy"), had + 1);
await page.unroute("**/dags/needy/trigger");
await button(dialog, "Trigger DAG w/ config").click();
await page.waitForURL(/\/dags\/needy\/runs\//);
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
const { conf } = await (await page.request.get(`${url}/api/v2/dags/needy/dagRuns/${encodeURIComponent(runOf(page.url()))}`)).json();
assert.deepEqual(conf, { SCORING_DATE: "2026-01-31", TARGET: "scores" }, "no field is dropped");
assert.equal(await runs("needy"), had + 1, "one run");
// What nobody has written in closes by a click beside it.
await page.goto(url);
await open();
await page.mouse.click(5, 400);
await dialog.waitFor({ state: "hidden" });

// Without script the refusal has its summary, the field has the focus, and Enter
// starts nothing.
const plain = await newPage({ javaScriptEnabled: false });
await plain.goto(`${url}/dags/needy/trigger`);
await plain.getByLabel("Note").press("Enter");
await plain.getByLabel("TARGET").press("Enter");
assert.match(plain.url(), /\/trigger$/);
assert.equal(await runs("needy"), had + 1);
await plain.locator("button.primary").click();
await plain.locator("#faults").getByText("SCORING_DATE").waitFor();
assert.equal(await plain.locator(":focus").getAttribute("id"), "param.SCORING_DATE");

// Times tick without a request, and a window follows what happens: it offers
// Cancel while the task runs, and not when it has ended.
const training = await trigger(page, "churn-model-retrain");
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("#node-train_model.s-running").click();
await button(dialog, "Cancel task").waitFor();
const ticking = dialog.locator(".ticks").first();
const before = await ticking.innerText();
await shot(page, "task-running");
await page.waitForFunction((text) => document.querySelector("#window .ticks")?.innerText !== text, before);
await dialog.locator("header .state", { hasText: "success" }).waitFor();
assert.equal(await button(dialog, "Cancel task").count(), 0, "nothing is left to be cancelled");
await link(dialog, "Log").waitFor();
await shot(page, "task-ended");
await page.keyboard.press("Escape");
await page.goto(training);
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();

// The size of a log grows with it.
const growing = await trigger(page, "churn-model-retrain");
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("#node-train_model.s-running").waitFor();
await page.goto(`${growing}/tasks/train_model/log`);
await page.getByText("Following the log…").waitFor();
const bytes = await page.locator("#logsize").innerText();
await page.waitForFunction((text) => document.getElementById("logsize").innerText !== text
  && document.getElementById("logstate").innerText.startsWith("Following"), bytes);
await page.getByText("The log is complete.").waitFor();
await page.goto(growing);
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();

// While nothing happens, all that goes on grows older: header, rows and bars.
const long = await trigger(page, "churn-model-retrain");
const texts = (selector) => page.locator(selector).allInnerTexts();
for (const [address, selector] of [
  [long, "#run .ticks"], [`${url}/dags/churn-model-retrain/gantt`, "#spans .ticks"], [`${url}/dags/churn-model-retrain/runs`, "#runs .ticks"],
]) {
  await page.goto(address);
  await page.locator(selector).first().waitFor();
  const [then] = await texts(selector);
  await page.waitForFunction(([s, text]) => document.querySelector(s)?.innerText !== text, [selector, then]);
}
await page.goto(`${url}/dags/churn-model-retrain/gantt`);
await page.locator("svg[data-open]").waitFor();
await shot(page, "gantt-running");
await page.goto(long);
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();

// An act says first what it would touch, and is done by a button named after it.
await button(page, "Clear").click();
await dialog.getByRole("heading", { name: "Clear 4 tasks?" }).waitFor();
for (const task of ["prepare_data", "train_model", "evaluate_model", "register_model"]) await link(dialog, task).waitFor();
await shot(page, "confirm-clear");
await link(dialog, "Back").click();
await dialog.waitFor({ state: "hidden" });
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();
await link(page, "evaluate_model").first().click();
await button(dialog, "Clear").click();
await dialog.getByRole("heading", { name: "Clear 2 tasks?" }).waitFor();
await link(dialog, "Back").click();
await dialog.getByLabel("and everything after it").uncheck();
await button(dialog, "Clear").click();
await dialog.getByRole("heading", { name: "Clear 1 task?" }).waitFor();
await button(dialog, "Clear 1 task").click();
await page.locator("#notice", { hasText: "1 task was cleared" }).waitFor();
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();

// What has changed since it was shown is shown again, and not done.
await link(page, "train_model").first().click();
await button(dialog, "Mark failed").click();
await button(dialog, "Mark task train_model as failed").waitFor();
await page.request.post(`${long}/tasks/train_model/state`, { form: { state: "failed" } });
await dialog.getByText("The task has this state already.").waitFor();
assert.equal(await dialog.locator("form").count(), 0, "the window no longer offers it");
await page.keyboard.press("Escape");

// Several runs, and several DAGs, with and without script.
await page.goto(`${url}/dags/churn-model-retrain/runs`);
await page.getByLabel("Select all runs of this page").check();
await button(page, "Clear failed tasks").click();
await dialog.getByText("will run again: train_model").first().waitFor();
await dialog.getByRole("heading", { name: "Not affected" }).waitFor();
await shot(page, "confirm-runs");
await link(dialog, "Back").click();
await button(page, "Mark failed").click();
await dialog.getByText("will be marked as failed").first().waitFor();
await link(dialog, "Back").click();

// Triggering several un-pauses them, as triggering one does.
await page.goto(url);
for (const id of ["fraud-model", "churn-model"]) {
  if ((await toggle(page, id).getAttribute("aria-checked")) === "true") await toggle(page, id).click();
  await off(page, id);
  await row(page, id).getByRole("checkbox").check();
}
await button(page, "Trigger").click();
await dialog.getByRole("heading", { name: "Trigger 2 DAGs?" }).waitFor();
await shot(page, "confirm-dags");
await button(dialog, "Trigger 2 DAGs").click();
await page.locator("#notice", { hasText: "2 runs were started" }).waitFor();
for (const id of ["fraud-model", "churn-model"]) await on(page, id);

await plain.goto(`${url}/?q=fraud-model`);
await plain.locator("#dag-fraud-model td.check input").check();
await button(plain, "Pause").click();
await plain.getByRole("heading", { name: "Pause 1 DAG?" }).waitFor();
await shot(plain, "confirm-plain");
await link(plain, "Back").click();
assert.match(plain.url(), /q=fraud-model/, "back to the list that it was chosen in");
await on(page, "fraud-model");
await plain.locator("#dag-fraud-model td.check input").check();
await button(plain, "Pause").click();
await button(plain, "Pause 1 DAG").click();
await off(page, "fraud-model");
await done();
