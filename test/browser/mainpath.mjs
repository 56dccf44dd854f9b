// The main path, which is to work in every browser: find a DAG, trigger it with a
// config, watch its run in the graph, the grid and the log without a reload, cancel
// one, and read it all in the dark.
//
//	BROWSER=firefox node mainpath.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { browser, button, confirm, done, link, newPage, off, on, row, shot, toggle, url } from "./browser.mjs";

const name = browser.browserType().name();
const picture = (page, of) => shot(page, `${name}-${of}`);
const page = await newPage();
const watcher = await newPage();
const dialog = page.getByRole("dialog");

// The table: search as one types, the toggle, the schedule's tip.
await page.goto(url);
await page.getByRole("searchbox").fill("churn");
await row(page, "fraud-model").waitFor({ state: "detached" });
const wasOn = (await toggle(page, "churn-model").getAttribute("aria-checked")) === "true";
await toggle(page, "churn-model").click();
await (wasOn ? off : on)(page, "churn-model");
await row(page, "churn-model").locator(".schedule").hover();
await row(page, "churn-model").getByRole("tooltip").getByText("At 06:00").waitFor();
await picture(page, "dags");

// The form: a fault is told at its line, the preview shows what the container would
// get, and neither Esc nor a click beside it loses what was typed.
await row(page, "churn-model").getByRole("link", { name: "Trigger churn-model" }).click();
const config = dialog.getByLabel("Config as JSON");
await config.fill('{\n  "SCORING_DATE":\n}');
await dialog.getByText("Not valid JSON: line 3").waitFor();
await dialog.locator(".gutter .bad", { hasText: "3" }).waitFor();
await config.fill('{"SCORING_DATE": "2026-01-31"}');
await dialog.locator("#preview tr", { hasText: "SCORING_DATE" }).getByText("2026-01-31").first().waitFor();
await picture(page, "trigger");
await page.mouse.click(5, 400);
await page.getByText("Close the window with ✕ to discard it.").waitFor();
await config.press("Escape");
await page.getByText("Press Esc again to discard it.").waitFor();
assert.equal(await config.inputValue(), '{"SCORING_DATE": "2026-01-31"}');

// Another browser sees the run that is started here.
await watcher.goto(url);
const before = await watcher.evaluate(() => Number(
  document.querySelector("#dag-churn-model a.s-success")?.innerText.replace(/\D/g, "") || 0,
));
await button(dialog, "Trigger DAG w/ config").click();
await page.waitForURL(/\/dags\/churn-model\/runs\//);
const scoring = page.url();
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
await row(watcher, "churn-model").getByRole("link", { name: `runs, success: ${before + 1}`, exact: true }).waitFor();
await on(watcher, "churn-model");

// The log of what has ended, with its search.
await page.goto(`${scoring}/tasks/run_model/log`);
await page.getByRole("log").getByText("scoring date: 2026-01-31").waitFor();
await page.getByText("The log is complete.").waitFor();
await page.getByPlaceholder("Search the log").fill("scoring date");
await page.locator(".ll.current", { hasText: "scoring date" }).waitFor();

// A training run is followed to its end: in the graph, whose window offers what is
// possible, in the grid and in its log.
await page.goto(`${url}/dags/churn-model-retrain`);
await page.getByRole("main").getByRole("link", { name: "Trigger", exact: true }).click();
await button(dialog, "Trigger DAG").click();
await page.waitForURL(/\/dags\/churn-model-retrain\/runs\//);
const training = page.url();
await watcher.goto(`${url}/dags/churn-model-retrain/grid`);
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("#node-train_model.s-running").click();
await button(dialog, "Cancel task").waitFor();
const ticking = await dialog.locator(".ticks").first().innerText();
await page.waitForFunction((text) => document.querySelector("#window .ticks")?.innerText !== text, ticking);
await picture(page, "graph-running");
await page.goto(`${training}/tasks/train_model/log`);
await page.getByText("Following the log…").waitFor();
await page.getByText("The log is complete.").waitFor();
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("svg.graph a.node.s-success").nth(3).waitFor();
await page.locator('[data-zoom="in"]').click();
await picture(page, "graph");
await watcher.locator("#grid tbody tr td:last-child a.s-success").nth(3).waitFor();
await picture(watcher, "grid");
await watcher.goto(`${url}/dags/churn-model-retrain/gantt`);
await watcher.locator("#spans").getByText("train_model").waitFor();
await picture(watcher, "gantt");

// Cancelling stops a task that runs.
await page.goto(`${url}/dags/churn-model-retrain/trigger`);
await button(page, "Trigger DAG").click();
await page.waitForURL(/\/dags\/churn-model-retrain\/runs\//);
const cancelled = page.url();
await page.goto(`${url}/dags/churn-model-retrain/graph`);
await page.locator("#node-train_model.s-running").click();
await button(dialog, "Cancel task").click();
await confirm(page);
await page.locator("#notice", { hasText: "train_model" }).waitFor();
await page.goto(cancelled);
await page.locator("#run .state", { hasText: "failed" }).first().waitFor();
await page.getByText("stopped: cancelled by anonymous").first().waitFor();

// By keyboard, and in the dark.
await page.keyboard.press("?");
await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
await page.keyboard.press("Escape");
await page.keyboard.press("g");
await page.keyboard.press("d");
await page.waitForURL(`${url}/`);
await page.locator("details.menu summary").click();
await page.getByLabel("Theme").selectOption("dark");
await page.locator('html[data-theme="dark"]').waitFor();
const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
assert.ok(paper.every((part) => part < 80), `the page is dark: ${paper}`);
await picture(page, "dark");
await done();
