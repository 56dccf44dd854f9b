// Other ways to use the pages: without script, by keyboard alone, in Russian, on
// a phone, in another time zone.
//
//	node ways.mjs URL [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { button, done, link, newPage, row, shot, url } from "./browser.mjs";

// Without script: the table, pausing, triggering and the log work.
let page = await newPage({ javaScriptEnabled: false });
await page.goto(url);
const toggle = () => row(page, "fraud-model").getByRole("switch");
const before = await toggle().getAttribute("aria-checked");
await toggle().click();
assert.notEqual(await toggle().getAttribute("aria-checked"), before, "the toggle moved");
await page.getByRole("searchbox").fill("fraud");
await button(page, "Search").click();
assert.match(page.url(), /q=fraud/);
await row(page, "fraud-model").getByRole("link", { name: "Trigger fraud-model" }).click();
await page.fill("#conf", '{"SCORING_DATE": "2026-01-31"}');
await button(page, "Preview").click();
await page.locator("#preview").getByText("AIRFLOW_CTX_DAG_ID").waitFor();
await button(page, "Trigger DAG w/ config").click();
await page.waitForURL(/\/runs\/manual__/);
const run = page.url();
for (let i = 0; i < 1000; i++) {
  await page.goto(`${run}/tasks/run_model/log`);
  if (await page.getByText("The log is complete.").count()) break;
}
await page.getByRole("log").getByText("2026-01-31").first().waitFor();
await page.getByPlaceholder("Search the log").fill("2026-01-31");
await button(page, "Search").click();
await page.getByText(/\d+ match/).waitFor();
await page.context().close();

// By keyboard alone: from the table to the log.
page = await newPage();
await page.goto(`${url}/audit`);
await page.keyboard.press("g");
await page.keyboard.press("d");
await page.waitForURL(`${url}/`);
await page.keyboard.press("/");
await page.keyboard.type("fraud-model");
await page.waitForURL(/q=fraud-model/);
await page.keyboard.press("Enter");
await tabTo(page, "#dag-fraud-model td.name a");
await page.keyboard.press("Enter");
await page.waitForURL(/fraud-model\/graph/);
await tabTo(page, "a.node");
await page.keyboard.press("Enter");
await page.locator("#window[open]").waitFor();
await tabTo(page, "#window .buttons a");
await page.keyboard.press("Enter");
await page.waitForURL(/\/log/);
await page.keyboard.press("5");
await page.waitForURL(/\/code/);
await page.keyboard.press("?");
await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
await page.keyboard.press("Escape");
await page.keyboard.press("t");
await page.getByRole("dialog").getByRole("button", { name: "Trigger DAG", exact: true }).waitFor();
await page.keyboard.press("Escape");
await page.context().close();

// tabTo presses Tab until an element has the focus.
async function tabTo(page, selector) {
  for (let i = 0; i < 80; i++) {
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${selector} cannot be reached by Tab`);
}

// In Russian, by the browser's language; English by choice.
page = await newPage({ locale: "ru-RU" });
await page.goto(url);
await page.getByRole("columnheader", { name: "Расписание" }).waitFor();
await page.getByRole("link", { name: /^Все \d/ }).waitFor();
await row(page, "churn-model").locator(".schedule").hover();
await page.getByRole("tooltip").getByText("Каждый день в 06:00").first().waitFor();
await shot(page, "dags-ru");
await page.goto(`${run}/tasks/run_model/log`);
await page.getByText("Лог завершён.").waitFor();
await shot(page, "log-ru");
await page.locator("details.menu summary").click();
await page.getByLabel("Язык").selectOption("en");
await page.getByText("The log is complete.").waitFor();
await page.context().close();

// Times in the reader's own zone, and in the dark.
page = await newPage({ timezoneId: "Asia/Tokyo" });
await page.goto(run);
await page.locator("details.menu summary").click();
await page.getByLabel("Show times in").selectOption("mine");
await page.locator("#clock", { hasText: "Asia/Tokyo" }).waitFor();
await page.locator("details.menu summary").click();
await page.getByLabel("Theme").selectOption("dark");
await page.locator('html[data-theme="dark"]').waitFor();
await page.context().close();

// On a phone: nothing is wider than the screen, and everything is there.
page = await newPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
for (const path of ["/", "/dags/fraud-model/graph", "/dags/fraud-model/grid", "/dags/fraud-model/runs", "/dags/fraud-model/code",
  "/dags/fraud-model/details", "/dags/fraud-model/trigger", "/dags/fraud-model/audit", "/models", "/audit", "/import-errors"]) {
  await page.goto(url + path);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${path} is ${wide} pixels wider than a phone`);
  await shot(page, `phone${path.replaceAll("/", "-")}`);
}
await page.goto(url);
await row(page, "fraud-model").getByRole("switch").tap();
await link(row(page, "fraud-model"), "fraud-model").first().tap();
await page.waitForURL(/fraud-model\/graph/);
// The whole of a schedule's tip can be seen, and the log is the one thing that scrolls.
await page.locator(".schedule").first().tap();
const tip = await page.locator(".schedule .tip:visible").first().boundingBox();
assert.ok(tip.x >= 0 && tip.x + tip.width <= 390 && tip.y + tip.height <= 844, `the tip is cut off: ${JSON.stringify(tip)}`);
await page.goto(`${run}/tasks/run_model/log`);
assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), "the page of a log does not scroll");
assert.ok((await page.locator("#log").boundingBox()).height >= 200, "the log has room");
await shot(page, "phone-log");

// The grid opens at the newest run, also when there are more than fit; the arrow keys
// go where they point.
await page.setViewportSize({ width: 200, height: 844 });
await page.goto(`${url}/dags/fraud-model/grid?runs=100`);
const newest = page.locator("#grid thead th").last();
const [box, cell] = [await page.locator("#grid").boundingBox(), await newest.boundingBox()];
assert.ok(cell.x >= box.x && cell.x + cell.width <= box.x + box.width, `the newest run is out of sight: ${JSON.stringify([box, cell])}`);
await newest.getByRole("link").focus();
await page.keyboard.press("ArrowDown");
assert.ok(await page.evaluate(() => document.activeElement.matches("#grid tbody tr:first-child td:last-child a")), "down leads to the run's first task");
await page.keyboard.press("ArrowUp");
await page.keyboard.press("ArrowLeft");
const left = await page.evaluate(() => {
  const runs = [...document.querySelectorAll("#grid thead th a")];
  return { runs: runs.length, at: runs.indexOf(document.activeElement) };
});
assert.equal(left.at, Math.max(0, left.runs - 2), "left leads to the run before, if there is one");
await page.context().close();
await done();
