// What the browser tests share: a browser, pages that must report no problem,
// and short words for what people look at.
import assert from "node:assert/strict";
import { chromium, firefox } from "playwright-core";

export const [url, shots] = process.argv.slice(2);

// browser is Debian's Chromium, or its Firefox when BROWSER says so, which is spoken
// to by WebDriver BiDi: the channel tells that it is no build of Playwright's own.
export const browser = process.env.BROWSER === "firefox" ? await firefox.launch({
  executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr",
  channel: "moz-firefox",
}) : await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// networkChanged is what a browser reports when an address of this machine comes
// or goes while it connects: a pod's, of the cluster that other tests use beside
// this one. It is no fault of a page.
const networkChanged = "net::ERR_NETWORK_CHANGED";

const problems = [];
const pages = []; // all that were opened

// patience is how long a page is waited for, in ms. Only a fault uses it up: a machine
// may be slow.
const patience = 120_000;

// A script that fails says what its pages showed: their addresses and texts.
process.on("uncaughtException", async (fault) => {
  console.error(fault);
  for (const page of pages) {
    if (page.isClosed()) continue;
    const text = page.locator("body").innerText({ timeout: 5_000 }).catch((e) => `no text: ${e.message}`);
    console.error(`--- ${page.url()}\n${(await text).slice(0, 5_000)}`);
  }
  process.exit(1);
});

// expected are problems that a test makes on purpose. The one is of Playwright's own: before
// a picture it puts this style, by its hash, into the page, which our policy forbids, and
// Firefox says so.
export const expected = shots ? ["sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA="] : [];

// newPage opens a page in a browser profile of its own.
export async function newPage(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const goto = page.goto.bind(page);
  page.goto = (...args) => goto(...args).catch((e) => {
    if (e.message.includes(networkChanged)) return goto(...args);
    throw e;
  });
  watch(page);
  return page;
}

// watch collects what the browser complains of: errors of scripts, refused
// requests, breaches of the content security policy.
export function watch(page) {
  pages.push(page);
  page.on("console", (m) => { if (m.type() === "error" && !m.text().includes(networkChanged)) problems.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => problems.push(`${page.url()}: ${e}`));
}

export async function shot(page, name, options = {}) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, ...options });
}

export const row = (page, id) => page.locator(`#dag-${id}`);
export const toggle = (page, id) => row(page, id).getByRole("switch");
export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const link = (page, name) => page.getByRole("link", { name, exact: true });

// confirm does the act whose plan is shown.
export const confirm = (page) => page.locator("#confirm").click();

// on and off wait for a toggle's state, without a reload.
export const on = (page, id) => page.locator(`#toggle-${id}[aria-checked="true"]`).waitFor();
export const off = (page, id) => page.locator(`#toggle-${id}[aria-checked="false"]`).waitFor();

// trigger starts a run over the form and returns the address of its page.
export async function trigger(page, id, conf) {
  await page.goto(`${url}/dags/${id}/trigger`);
  if (conf) await page.fill("#conf", JSON.stringify(conf));
  const answer = page.waitForURL(new RegExp(`/dags/${id}/runs/`));
  await button(page, conf ? "Trigger DAG w/ config" : "Trigger DAG").click();
  await answer;
  return page.url();
}

// done closes the browser and fails when it has reported a problem.
export async function done() {
  await browser.close();
  assert.deepEqual(problems.filter((p) => !expected.some((e) => p.includes(e))), [], "the browser reports no problem");
  console.log("ok");
}
