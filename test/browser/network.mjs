// A network that fails for a moment, as when a machine's addresses change: what
// only reads is asked for again, and what changes something says that it got no
// answer, and shows the truth.
//
//	node network.mjs URL
import assert from "node:assert/strict";
import { button, done, expected, link, newPage, off, on, toggle, trigger, url } from "./browser.mjs";

expected.push("ERR_FAILED", "ERR_CONNECTION_RESET", "ERR_INTERNET_DISCONNECTED");
const page = await newPage();

// fail lets the next n requests for an address fail, and tells how many there were.
async function fail(address, n, method = "GET") {
  const seen = { count: 0 };
  await page.route(address, async (route) => {
    if (route.request().method() !== method) return route.continue();
    seen.count++;
    if (seen.count <= n) await route.abort("connectionreset"); else await route.continue();
  });
  return seen;
}

// A window that opens over the page is read again once.
await page.goto(`${url}/dags/fraud-model/graph`);
let seen = await fail("**/trigger", 1);
await link(page.getByRole("main"), "Trigger").click();
await button(page.getByRole("dialog"), "Trigger DAG").waitFor();
assert.equal(seen.count, 2, "the window was asked for twice");
await page.keyboard.press("Escape");
await page.unroute("**/trigger");

// When that fails too, the page says so and stays.
seen = await fail("**/trigger", 2);
await link(page.getByRole("main"), "Trigger").click();
await page.getByText("The server is not responding. Try again in a moment.").waitFor();
assert.match(page.url(), /\/graph$/);
await page.unroute("**/trigger");

// A refresh that fails again and again shows the calm bar, and comes back by itself.
await page.goto(url);
seen = await fail(`${url}/`, 3);
const wasOn = (await toggle(page, "fraud-model").getAttribute("aria-checked")) === "true";
await toggle(page, "fraud-model").click();
await page.getByText("The server is not responding. Trying again…").waitFor();
await page.locator("#live").waitFor({ state: "hidden" });
assert.ok(seen.count >= 4, `asked ${seen.count} times`);
await page.unroute(`${url}/`);
await (wasOn ? off : on)(page, "fraud-model");

// A change that got no answer goes back, says so, and the page looks again.
seen = await fail("**/fraud-model/pause", 1, "POST");
await toggle(page, "fraud-model").click();
await page.getByText("The server did not respond. If the action was done anyway").waitFor();
assert.equal(seen.count, 1, "a change is not sent twice");
await (wasOn ? off : on)(page, "fraud-model");
await toggle(page, "fraud-model").click();
await (wasOn ? on : off)(page, "fraud-model");
await page.unroute("**/fraud-model/pause");

// A search in a log is asked for again too, and the time of a line is a link
// that does not load the page anew.
const run = await trigger(page, "fraud-model");
await page.locator("#run .state", { hasText: "success" }).first().waitFor();
await page.goto(`${run}/tasks/run_model/log`);
await page.getByText("The log is complete.").waitFor();
seen = await fail("**/log/search?*", 1);
await page.getByPlaceholder("Search the log").fill("a");
await page.locator("#hits", { hasText: "1 /" }).or(page.locator("#hits", { hasText: "/" })).first().waitFor();
assert.ok(seen.count >= 2, "the search was asked for again");
let loads = 0;
page.on("request", (r) => { if (r.isNavigationRequest()) loads++; });
const line = page.locator(".ll").first();
await line.locator(".lt").click();
await page.locator(".ll.current").first().waitFor();
assert.equal(new URL(page.url()).hash, `#${await line.getAttribute("id")}`);
assert.equal(loads, 0, "the page was not loaded anew");
await done();
