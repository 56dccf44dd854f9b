// Two browsers and several tabs see changes without a reload, over one stream a
// browser and none for hidden tabs; a server that goes away and comes back is
// told calmly. The test beside stops and starts the server when it reads so.
//
//	node live.mjs URL
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { button, done, expected, newPage, off, on, row, toggle, trigger, url, watch } from "./browser.mjs";

expected.push("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_NETWORK_CHANGED", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED", "ERR_FAILED");
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// server asks the test to stop or start the server, and waits until it did.
async function server(what) {
  console.log(what);
  const { value } = await answers.next();
  assert.equal(value, "ok");
}

const alice = await newPage();
const bob = await newPage();
await alice.goto(url);
await bob.goto(url);

// Both see what either does.
const isOn = async (page, id) => (await toggle(page, id).getAttribute("aria-checked")) === "true";
const wasOn = await isOn(alice, "fraud-model");
await toggle(alice, "fraud-model").click();
await (wasOn ? off : on)(bob, "fraud-model");
await toggle(bob, "fraud-model").click();
await (wasOn ? on : off)(alice, "fraud-model");

// Counters and states follow a run that the other starts.
const successes = () => Number(document.querySelector("#dag-fraud-model a.counter.s-success")?.innerText.replace(/\D/g, "") || 0);
const before = await alice.evaluate(successes);
const worker = await newPage();
await trigger(worker, "fraud-model");
for (const page of [alice, bob]) await row(page, "fraud-model").getByRole("link", { name: `runs, success: ${before + 1}`, exact: true }).waitFor();

// Tabs of one browser share one stream.
const tabs = [];
for (let i = 0; i < 3; i++) {
  const tab = await alice.context().newPage();
  watch(tab);
  await tab.goto(url);
  tabs.push(tab);
}
const scores = await isOn(tabs[0], "churn-model");
await toggle(tabs[0], "churn-model").click();
await (scores ? off : on)(tabs[2], "churn-model");
await (scores ? off : on)(alice, "churn-model");
const streams = await alice.evaluate(() => performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/events")).length);
assert.equal(streams, 0, "no tab holds a stream: the shared worker does");

// An idle page asks for nothing, once it has looked at the last change.
let requests = [];
alice.on("request", (r) => requests.push(r.url()));
for (let i = 0; i < 5; i++) {
  requests = [];
  await alice.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 3000); }));
  if (!requests.length) break;
}
assert.deepEqual(requests, [], "an idle page is quiet");

// A preview that arrives while a button is pressed does not move it away from under the
// pointer.
await alice.goto(`${url}/dags/fraud-model/trigger`);
let letPass;
const asked = new Promise((resolve) => {
  alice.route("**/trigger", (route) => { letPass = () => route.continue(); resolve(); }, { times: 1 });
});
const preview = alice.waitForResponse((r) => r.request().method() === "POST");
await alice.fill("#conf", JSON.stringify({ SCORING_DATE: "2026-02-03" }));
await asked;
const start = await button(alice, "Trigger DAG w/ config").boundingBox();
await alice.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
await alice.mouse.down();
await letPass();
await (await preview).finished();
await alice.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 100); })); // in which a page would move
await alice.mouse.up();
await alice.waitForURL(/\/runs\/manual__/);
await alice.goto(url);

// The server goes away under open pages and comes back.
await server("stop");
await alice.getByText("The server is not responding. Trying again…").waitFor();
const retrains = await isOn(bob, "churn-model-retrain");
await toggle(bob, "churn-model-retrain").click();
await bob.getByText("The server did not respond. If the action was done anyway").waitFor();
await (retrains ? on : off)(bob, "churn-model-retrain");
await server("start");
await alice.locator("#live").waitFor({ state: "hidden", timeout: 30_000 });
await toggle(bob, "churn-model-retrain").click();
await (retrains ? off : on)(alice, "churn-model-retrain");
await done();
process.exit(0);
