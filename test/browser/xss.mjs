// Opens pages that are full of hostile text, whose addresses stand on stdin as
// JSON. Nothing may run, be loaded from elsewhere, break the content security
// policy or come out as markup.
//
//	node xss.mjs URL < PATHS
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { browser, url } from "./browser.mjs";

const paths = JSON.parse(await text(process.stdin));
const faults = [];
const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
await context.addCookies([{ name: "dagwright_notice", value: encodeURIComponent("<img src=x onerror=alert(1)>"), url }]);
const page = await context.newPage();
page.setDefaultTimeout(120_000);
page.on("dialog", async (d) => { fault(`a dialog: ${d.message()}`); await d.dismiss(); });
page.on("console", (m) => { if (m.type() === "error" && !refusal(m)) fault(`the console: ${m.text()}`); });
page.on("pageerror", (e) => fault(`an error of a script: ${e}`));
page.on("request", (r) => { if (!r.url().startsWith(`${url}/`)) fault(`a request to ${r.url()}`); });
page.on("popup", () => fault("a window was opened"));
// Set before a page's own scripts, so that no payload can hide a breach of the policy.
await page.addInitScript(() => document.addEventListener("securitypolicyviolation",
  (e) => console.error(`policy violation: ${e.violatedDirective} ${e.blockedURI}`)));

function fault(what) { faults.push(`${page.url().slice(0, 200)}: ${what}`); }

// refusal is the browser's own note that a page was answered with 4xx.
function refusal(message) { return /the server responded with a status of 4/.test(message.text()); }

// markup finds what no page of ours has: handlers in attributes, script of another
// place, links that are no links, elements that only payloads ask for.
function markup() {
  const found = [];
  if (window.pwned) found.push("window.pwned is set");
  for (const e of document.querySelectorAll("*")) {
    for (const a of e.attributes) {
      if (a.name.startsWith("on")) found.push(`${e.localName} ${a.name}`);
      if (["href", "src", "action", "formaction", "xlink:href", "data"].includes(a.name)) {
        const to = new URL(a.value, location.href);
        const ours = to.origin === location.origin || a.name === "href" && to.origin === "https://gitlab.example.com";
        if (!ours) found.push(`${e.localName} ${a.name}=${a.value.slice(0, 80)}`);
      }
    }
    if (["iframe", "object", "embed", "base", "marquee", "math", "video", "audio", "foreignobject", "animate", "plaintext", "x"].includes(e.localName)) found.push(e.localName);
    if (e.localName === "script" && !(e.getAttribute("src") || "").startsWith("/static/") && e.type !== "application/json") found.push("script");
    if (e.localName === "meta" && e.httpEquiv === "refresh") found.push("meta refresh");
  }
  return found;
}

for (const path of paths) {
  const answer = await page.goto(url + path, { waitUntil: "load" });
  if (answer.status() >= 500) fault(`status ${answer.status()}`);
  // Move and focus, for payloads that wait for it.
  await page.mouse.move(300, 200);
  await page.mouse.move(600, 400);
  for (let i = 0; i < 5; i++) await page.keyboard.press("Tab");
  if (path.endsWith("/graph")) {
    await page.locator("a.node").first().click();
    await page.locator("#window[open]").waitFor();
  }
  for (const what of await page.evaluate(markup)) fault(what);
}
await browser.close();
assert.deepEqual([...new Set(faults)].slice(0, 40), []);
console.log("nothing ran");
