// Takes the pictures of the user's guide, in English and in Russian, from a new
// "dagwright dev". Numbers in a picture are those of the guide's text.
//
//	node pictures.mjs URL FOLDER
import { browser, confirm, newPage, row, shots, toggle, trigger, url } from "./browser.mjs";

// Something to see: runs of every colour.
const page = await newPage();
await page.goto(url);
await toggle(page, "churn-model").click();
await trigger(page, "churn-model", { SCORING_DATE: "2026-01-31" });
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
await trigger(page, "churn-model");
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
const run = page.url();
await trigger(page, "fraud-model", { SCORING_DATE: "1999-01-01" });
await page.locator("#run .state", { hasText: /up for retry|success/ }).first().waitFor();
await page.goto(`${page.url()}/tasks/run_model`);
if (await page.getByRole("button", { name: "Mark failed" }).count()) {
  await page.getByRole("button", { name: "Mark failed" }).click();
  await confirm(page);
  await page.locator("#notice").waitFor();
}
await trigger(page, "churn-model-retrain");
await page.locator("#run .state", { hasText: "success" }).nth(4).waitFor({ timeout: 60_000 });
await page.context().close();

for (const [lang, locale] of [["en", "en-GB"], ["ru", "ru-RU"]]) {
  const page = await newPage({ locale, viewport: { width: 1280, height: 640 } });
  const take = (name, options) => page.screenshot({ path: `${shots}/${lang}-${name}.png`, ...options });

  // The main page while one retraining runs and the next waits for it.
  for (let i = 0; i < 2; i++) {
    await fetch(`${url}/dags/churn-model-retrain/trigger`, { method: "POST", body: new URLSearchParams({ mode: "now" }) });
  }
  await page.goto(url);
  await row(page, "churn-model-retrain").locator("a.counter.s-running").first().waitFor();
  await number(page, [
    [1, ".filters a:nth-child(1)"], [2, ".filters a:nth-child(2)"], [3, ".filters a:nth-child(3)"],
    [4, "#dag-churn-model .toggle"], [5, "#dag-churn-model td:nth-child(4) .counters"], [6, "#dag-churn-model .schedule"],
    [7, "#find [type=search]"], [8, "#dag-churn-model td:nth-child(8) .counters"], [9, "#dag-churn-model td.actions"],
  ]);
  await take("dags", { clip: { x: 0, y: 0, width: 1280, height: 360 } });

  await page.goto(url);
  await row(page, "churn-model").locator(".schedule").hover();
  await take("schedule", { clip: { x: 0, y: 0, width: 1280, height: 400 } });

  await page.locator("#dag-churn-model td.actions a").first().click();
  await page.fill("#conf", '{"SCORING_DATE": "2026-01-31"}');
  await page.locator("#preview tr", { hasText: "AIRFLOW_CTX_DAG_ID" }).waitFor();
  await page.setViewportSize({ width: 1280, height: 900 });
  await take("trigger");
  await page.setViewportSize({ width: 1280, height: 640 });

  await page.goto(`${url}/dags/churn-model/graph`);
  await number(page, [[1, ".tabs a:nth-child(1)"], [2, ".tabs a:nth-child(5)"]]);
  await take("graph", { clip: { x: 0, y: 0, width: 1280, height: 360 } });
  await page.goto(`${url}/dags/churn-model/graph`);
  await page.locator("svg.graph a.node").click();
  await page.locator("#window[open]").waitFor();
  await take("task");

  await page.goto(`${run}/tasks/run_model/log`);
  await page.locator(".ll").first().waitFor();
  await take("log");

  await page.locator(".tabs a:nth-child(5)").click();
  await page.locator("pre.code").waitFor();
  await take("code");

  const { dag_runs: [ended] } = await (await fetch(`${url}/api/v2/dags/churn-model-retrain/dagRuns?state=success&limit=1`)).json();
  await page.goto(`${url}/dags/churn-model-retrain/gantt?run=${encodeURIComponent(ended.dag_run_id)}`);
  await take("gantt", { clip: { x: 0, y: 0, width: 1280, height: 540 } });
  await page.goto(`${url}/dags/churn-model-retrain/grid`);
  await take("grid", { clip: { x: 0, y: 0, width: 1280, height: 440 } });
  await page.goto(`${url}/models`);
  await take("models", { clip: { x: 0, y: 0, width: 1280, height: 360 } });
  await page.context().close();
}
// The runs end before the folder is deleted.
const last = await newPage();
await last.goto(url);
for (const state of ["running", "queued"]) await last.locator(`a.counter.s-${state}`).first().waitFor({ state: "detached", timeout: 120_000 });
await browser.close();

// number puts the guide's numbers beside the things that it speaks of.
async function number(page, marks) {
  await page.evaluate((marks) => {
    for (const [n, selector] of marks) {
      const place = document.querySelector(selector).getBoundingClientRect();
      const mark = document.createElement("div");
      mark.textContent = n;
      Object.assign(mark.style, {
        position: "absolute", left: `${place.left - 8 + scrollX}px`, top: `${place.top - 13 + scrollY}px`, width: "20px", height: "20px",
        borderRadius: "50%", background: "#b4007a", color: "#fff", font: "700 13px/20px sans-serif", textAlign: "center", zIndex: 99,
      });
      document.body.append(mark);
    }
  }, marks);
}
