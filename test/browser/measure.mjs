// Measures the DAG table in a real browser and prints the figures as JSON:
// bytes and requests of a first load, requests a minute while idle, ms from the
// start of a navigation to visible rows (first visit and later ones; the floor is
// the same of a page of one word), and ms from another's change to its being seen.
//
//	node measure.mjs URL TIMES
import { createServer } from "node:http";
import { browser, newPage, url } from "./browser.mjs";

const times = Number(process.argv[3]);
const counts = (r) => !r.url().includes("/events");

// A first load, with nothing in the cache.
const page = await newPage();
const requests = [];
page.on("requestfinished", (r) => { if (counts(r)) requests.push(r); });
await page.goto(url);
await page.locator("table.dags tbody tr").nth(24).waitFor();
await page.waitForLoadState("load");
let bytes = 0;
for (const r of requests) {
  const { responseBodySize, responseHeadersSize } = await r.sizes();
  bytes += responseBodySize + responseHeadersSize;
}
const firstRequests = requests.length;

// Idle: for 20 seconds nothing is asked for.
await page.waitForTimeout(2000);
requests.length = 0;
await page.waitForTimeout(20_000);
const idle = requests.length * 3;

// From the navigation to the first paint that has the rows: at a first visit,
// with a new browser profile, and at later ones.
const painted = (page) => page.evaluate(() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) resolve(paint.startTime);
  }).observe({ type: "paint", buffered: true });
}));
// The floor is what the browser itself needs: the same for a page of one word.
const empty = createServer((_, answer) => {
  answer.setHeader("Content-Type", "text/html");
  answer.end("<!doctype html><title>floor</title><p>floor");
}).listen(0, "127.0.0.1");
await new Promise((resolve) => { empty.once("listening", resolve); });
const first = async (address) => {
  const fresh = await newPage();
  await fresh.goto(address);
  const time = await painted(fresh);
  await fresh.context().close();
  return time;
};
const [rows, again, floor] = [[], [], []];
for (let i = 0; i < times; i++) {
  floor.push(await first(`http://127.0.0.1:${empty.address().port}/`));
  rows.push(await first(url));
  await page.goto(url);
  again.push(await painted(page));
}

// Another pauses and un-pauses a DAG; the page shows it by itself.
const seen = [];
for (let i = 0; i < times; i++) {
  const paused = i % 2 === 1;
  await page.evaluate((state) => {
    window.seen = new Promise((resolve) => {
      const look = () => {
        if (document.getElementById("toggle-fraud-model").getAttribute("aria-checked") === state) resolve(Date.now());
      };
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
      look();
    });
  }, String(!paused));
  const answer = await fetch(`${url}/dags/fraud-model/pause`, { method: "POST", headers: { Accept: "text/plain" }, body: new URLSearchParams({ paused }) });
  const changed = Date.now();
  if (!answer.ok) throw new Error(await answer.text());
  seen.push(Math.max(0, await page.evaluate(() => window.seen) - changed));
  await page.waitForTimeout(600);
}
await browser.close();
empty.close();
console.log(JSON.stringify({ bytes, requests: firstRequests, idle, floor, rows, again, seen }));
