// What the pages do beyond links and forms: a toggle that moves at once, rows
// that follow the change feed, a task's small window, and a log that follows
// its end. Every page works without this file.

const refreshDelay = 300; // ms between a change and the look at it
const keepLog = 4_000_000; // characters of a followed log kept on the page

const byId = (id) => document.getElementById(id);

function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.hidden = true; }, 8000);
}

// --- toggle: moves at once, goes back and says why when it was refused ---

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.toggle")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.dataset.busy) return;
  button.dataset.busy = "1";
  const on = button.getAttribute("aria-checked") === "true";
  button.setAttribute("aria-checked", String(!on));
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "text/plain" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok) throw new Error(await answer.text());
    form.elements.paused.value = String(!on);
    refreshSoon();
  } catch (error) {
    button.setAttribute("aria-checked", String(on));
    toast(error instanceof TypeError ? "The server does not answer: nothing was changed." : error.message);
  } finally {
    delete button.dataset.busy;
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// --- live: reads the page afresh after a change, and swaps what differs ---

let refreshTimer = 0;
let refreshing = false;

function refreshSoon() {
  if (!refreshTimer) refreshTimer = setTimeout(refresh, refreshDelay);
}

async function refresh() {
  refreshTimer = 0;
  if (refreshing) return refreshSoon();
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The feed tells when the server is back.
  } finally {
    refreshing = false;
  }
}

// children lists the live parts inside a list, by which it is told whether
// rows came or went.
const children = (node) => [...node.querySelectorAll("[data-live]")].map((child) => child.id).join(" ");

function swap(fresh) {
  const focused = document.activeElement?.id;
  for (const next of fresh.querySelectorAll("[data-live]")) {
    const old = byId(next.id);
    if (!old || old.isEqualNode(next)) continue;
    if (next.dataset.live === "list" && old.querySelector("[data-live]") && children(old) === children(next)) continue;
    if (old.querySelector("[data-busy]")) continue;
    old.replaceWith(document.importNode(next, true));
  }
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus();
}

let feed = null;

function openFeed() {
  if (feed || document.hidden || !document.body.dataset.events) return;
  feed = new EventSource(document.body.dataset.events);
  // Whatever happened before the feed was open was not heard.
  feed.addEventListener("ready", () => { byId("live").hidden = true; refreshSoon(); });
  feed.addEventListener("change", refreshSoon);
  feed.addEventListener("lagged", refreshSoon);
  feed.onerror = () => {
    byId("live").hidden = false;
    if (feed.readyState !== EventSource.CLOSED) return;
    feed = null;
    setTimeout(openFeed, 10_000);
  };
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return openFeed();
  feed?.close();
  feed = null;
});
addEventListener("pagehide", () => { feed?.close(); feed = null; });
addEventListener("pageshow", openFeed);

// --- window: a click on a task shows it over the page ---

document.addEventListener("click", async (event) => {
  const link = event.target.closest("svg.graph a.node, a[data-window]");
  const box = byId("window");
  if (event.target === box || event.target.closest("[data-close]")) return box.close();
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const address = link.getAttribute("href");
  if (!address.includes("/tasks/")) return;
  event.preventDefault();
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const task = page.getElementById("task");
    if (!task) throw new Error("no task");
    task.removeAttribute("data-live");
    const close = document.createElement("button");
    close.textContent = "Close";
    close.dataset.close = "";
    box.replaceChildren(document.importNode(task, true), close);
    box.showModal();
  } catch {
    location.href = address;
  }
});

// --- log: follows the end until somebody scrolls up ---

function followLog(log) {
  const follow = byId("follow");
  const state = byId("logstate");
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  let following = true;
  toEnd();
  log.addEventListener("scroll", () => {
    following = atEnd();
    follow.hidden = following;
  });
  follow.addEventListener("click", () => { following = true; follow.hidden = true; toEnd(); });

  const address = log.dataset.stream;
  if (!address) return;
  const stream = new EventSource(address);
  let length = log.textContent.length;
  state.textContent = "Following the log…";
  stream.onmessage = (event) => {
    byId("nolog")?.remove();
    const text = JSON.parse(event.data);
    log.append(text);
    length += text.length;
    while (length > keepLog && log.childNodes.length > 1) {
      length -= log.firstChild.length;
      log.firstChild.remove();
    }
    if (following) toEnd();
  };
  stream.onopen = () => { state.textContent = "Following the log…"; };
  stream.addEventListener("end", () => {
    stream.close();
    state.textContent = "The log is complete.";
    refreshSoon();
  });
  stream.onerror = () => {
    state.textContent = stream.readyState === EventSource.CLOSED
      ? "The log is not followed any more: reload the page." : "The connection is lost; trying again…";
  };
  addEventListener("pagehide", () => stream.close());
}

const log = byId("log");
if (log) followLog(log);
openFeed();
