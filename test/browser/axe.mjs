// Every page, in both themes, holds the rules of axe-core.
//
//	node axe.mjs URL
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { button, confirm, done, expected, newPage, trigger, url } from "./browser.mjs";

expected.push("/no-such-page");
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

const page = await newPage();
const run = await trigger(page, "churn-model-retrain", { NOTE: "for axe" });
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor();
const failed = await trigger(page, "fraud-model", { SCORING_DATE: "yesterday" });
await page.locator("#run .state", { hasText: "up for retry" }).first().waitFor();
const path = (address) => address.slice(url.length);
const dag = "/dags/churn-model-retrain";

const found = [];
for (const colorScheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  for (const address of [
    "/", "/?q=nothing", "/models", "/import-errors", "/audit", "/no-such-page",
    `${dag}/graph`, `${dag}/grid`, `${dag}/runs`, `${dag}/gantt`, `${dag}/code`, `${dag}/details`, `${dag}/audit`, `${dag}/trigger`, `${dag}/delete`,
    path(run), `${path(run)}/tasks/train_model`, `${path(run)}/tasks/train_model/log`, `${path(run)}/tasks/train_model/spec`,
    path(failed), `${path(failed)}/tasks/run_model/log`, "/dags/fraud-model/graph",
  ]) await check(address, colorScheme);
  await page.goto(`${url}${dag}/graph`);
  await page.locator("svg.graph a.node").first().click();
  await page.locator("#window[open]").waitFor();
  await check(null, `${colorScheme}, with a task's window`);
  await button(page.getByRole("dialog"), "Clear").click();
  await page.locator("#confirm").waitFor();
  await check(null, `${colorScheme}, with what an act would touch`);
  await page.goto(url);
  await page.locator("td.actions a").first().click();
  await page.locator("#window[open]").waitFor();
  await check(null, `${colorScheme}, with the trigger window`);
}

async function check(address, how) {
  if (address !== null) await page.goto(url + address);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations) {
    for (const node of v.nodes) found.push(`${address ?? page.url()} (${how}): ${v.id}: ${node.target.join(" ")}: ${node.failureSummary.replaceAll("\n", " ")}`);
  }
}

// The run that failed would be tried again, and hold the DAG's one slot; on a slow
// machine it has been by now.
await page.goto(failed);
if (await button(page, "Mark failed").count()) {
  await button(page, "Mark failed").click();
  await confirm(page);
}
await page.locator("#run .state", { hasText: "failed" }).first().waitFor();

assert.deepEqual(found, [], "axe-core finds no violation");
await done();
