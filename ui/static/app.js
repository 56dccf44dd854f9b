// What the pages do beyond links and forms: a toggle that moves at once, parts
// that follow the change feed, search as one types, windows over the page, the
// graph's zoom, the preview of a run, and a log that is read piece by piece.
// Every page works without this file.

const byId = (id) => document.getElementById(id);
const body = document.body;
const texts = JSON.parse(body.dataset.texts || "{}");

// say gives a text in the reader's language; values take the place of its verbs.
function say(key, ...values) {
  return values.reduce((text, value) => text.replace(/%(?:\.[01]f|[ds])/, value), texts[key] ?? key);
}

// toast tells something for a while, over an open window too.
function toast(text) {
  const told = byId("toast");
  told.textContent = text;
  told.hidden = false;
  told.hidePopover?.(); // and again, so that it comes over a window that was opened since
  told.showPopover?.();
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { told.hidePopover?.(); told.hidden = true; }, 8000);
}

const readPage = (text) => new DOMParser().parseFromString(text, "text/html");
const asPart = { Accept: "text/html", "X-Fragment": "1" };

// read fetches what may be asked for again: when the network fails, once more.
async function read(address, headers = asPart) {
  try {
    return await fetch(address, { headers });
  } catch {
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    return fetch(address, { headers });
  }
}

// unanswered tells that a change got no answer, and has the page look whether it
// was made all the same.
function unanswered() {
  toast(say("The server did not respond. If the action was done anyway, the page will show it."));
  refreshSoon(1000);
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
    form.elements.paused.value = String(on);
    refreshSoon();
  } catch (error) {
    button.setAttribute("aria-checked", String(on));
    if (error instanceof TypeError) unanswered(); else toast(error.message);
  } finally {
    delete button.dataset.busy;
  }
});

// --- forms that act by themselves ---

document.addEventListener("change", (event) => {
  const target = event.target;
  if (target.matches("[data-submit]")) return find(target.form) || target.form.requestSubmit();
  if (target.matches("[data-all]")) {
    for (const box of document.querySelectorAll(`input[name="${target.dataset.all}"][form="bulk"]`)) box.checked = target.checked;
  }
});

// find shows what a search form asks for without loading a page anew. It takes
// only the form that filters a table.
function find(form) {
  if (form.id !== "find") return false;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  const address = form.getAttribute("action") + (query.size ? `?${query}` : "");
  history.replaceState(null, "", address);
  for (const back of document.querySelectorAll('input[name="back"]')) back.value = address;
  refresh();
  return true;
}

let findTimer = 0;
document.addEventListener("input", (event) => {
  if (!event.target.matches("#find [data-search]")) return;
  clearTimeout(findTimer);
  findTimer = setTimeout(() => find(event.target.form), 120);
});
document.addEventListener("submit", (event) => {
  if (find(event.target)) event.preventDefault();
});

// --- settings: offers the browser's own time zone ---

function offerOwnZone() {
  const mine = document.querySelector('option[value="mine"]');
  const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!mine || !ownZone || ownZone === "UTC") return;
  mine.textContent += ` (${ownZone})`;
  mine.hidden = mine.disabled = false;
  mine.form.elements.own_zone.value = ownZone;
}

// --- press: a page that moves while a button is pressed loses the click ---

const longestPress = 3000; // ms that a pointer which is held down keeps a page still
let pressed = Promise.resolve(); // settles when no pointer is down and its click is taken
let release = null;

addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  release?.();
  pressed = new Promise((resolve) => { release = resolve; });
  setTimeout(release, longestPress);
}, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => {
    if (release) setTimeout(release, 50); // the click of a finger comes a moment later
  }, true);
}
addEventListener("blur", () => release?.());

// --- live: reads the page afresh after a change, and swaps what differs ---

const quick = 15; // ms between a change and the look at it, so that changes of one moment share it
const pause = 500; // ms between two looks
const slow = 3000; // ms until a change that this page hardly shows is looked at

let refreshTimer = 0;
let due = Infinity;
let lastRefresh = 0;
let refreshing = false;
let again = false;
let failures = 0; // of refreshes, one after the other

// refreshSoon asks for a refresh in ms, or when the pause since the last is over.
function refreshSoon(ms = quick) {
  const at = Math.max(performance.now() + ms, lastRefresh + pause);
  if (at >= due) return;
  due = at;
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, at - performance.now());
}

async function refresh() {
  due = Infinity;
  if (refreshing) { again = true; return; }
  refreshing = true;
  lastRefresh = performance.now();
  try {
    const answer = await read(body.dataset.self || location.href);
    if ([401, 403, 404].includes(answer.status)) {
      if (!typed()) location.reload(); // leads to the sign-in and back, or says what is gone
      return;
    }
    if (answer.ok) {
      const page = readPage(await answer.text());
      await pressed;
      body.dataset.mark = page.body.dataset.mark;
      setClock(page);
      tick(page);
      if (byId("main").dataset.about === page.getElementById("main").dataset.about) swap(page); else showOther(page);
    }
    await refreshWindow();
    failures = 0;
    lost(false);
  } catch {
    lost(true);
    failures++;
    if (!document.hidden) refreshSoon(Math.min(30_000, 1000 * 2 ** failures));
  } finally {
    refreshing = false;
    if (again) { again = false; refreshSoon(); }
  }
}

// lost shows the calm bar while the server does not answer.
function lost(is) {
  const bar = byId("live");
  if (bar.hidden === !is) return;
  bar.hidden = !is;
  bar.textContent = is ? say("The server is not responding. Trying again…") : "";
}

// rows lists the live parts inside a list, by which it is told whether rows came
// or went.
const rows = (node) => [...node.querySelectorAll("[data-live]")].map((row) => row.id).join(" ");

// swap replaces the live parts that differ. A list that somebody is choosing from
// or a field that somebody is writing in stays as it is.
function swap(fresh) {
  const focused = document.activeElement?.id;
  for (const next of fresh.querySelectorAll("[data-live]")) {
    const old = byId(next.id);
    if (!old || old.isEqualNode(next) || !old.matches("[data-live]")) continue;
    if (next.dataset.live === "list" && old.querySelector("[data-live]") && rows(old) === rows(next)) continue;
    if (old.querySelector("[data-busy], select:focus, textarea:focus")) continue;
    const part = document.importNode(next, true);
    keepChecked(old, part);
    old.replaceWith(part);
  }
  for (const box of document.querySelectorAll("[data-all]")) box.hidden = false;
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus();
}

// showOther replaces all of a page that has come to be about another thing, such
// as a newer run: no part of it may speak of another thing than the rest.
function showOther(page) {
  const focused = document.activeElement?.id;
  const next = document.importNode(page.getElementById("main"), true);
  byId("main").replaceWith(next);
  document.title = page.title;
  startPage();
  if (focused && !box.open) byId(focused)?.focus();
}

// keepChecked takes what somebody chose over into a part that replaces another.
function keepChecked(old, part) {
  const chosen = new Set([...old.querySelectorAll("input[form]:checked")].map((tick) => tick.value));
  for (const tick of part.querySelectorAll("input[form]")) tick.checked = chosen.has(tick.value);
  for (const tick of part.querySelectorAll("input[type=checkbox][name]:not([form])")) {
    const was = old.querySelector(`input[type=checkbox][name="${tick.name}"]`);
    if (was) tick.checked = was.checked;
  }
}

const liveOf = body.dataset.liveOf;

// concerns says how soon this page should look after a change: quickly, slowly
// or not at all (0).
function concerns(change) {
  if (liveOf === "*") {
    if (!change.dag_id || byId("dag-" + change.dag_id) || !document.querySelector("table.dags")) return quick;
    return slow;
  }
  if (change.project && change.project === body.dataset.liveProject) return quick;
  return change.dag_id === liveOf ? quick : 0;
}

// hear takes what the feed tells. It is ready with the newest change: a page that
// shows that one already need not look.
function hear({ kind, change, mark }) {
  if (kind === "lost") return lost(true);
  if (kind === "ready") {
    lost(false);
    return mark && mark === body.dataset.mark ? undefined : refreshSoon();
  }
  const ms = concerns(change);
  if (ms) refreshSoon(ms);
}

// openFeed listens through the shared worker, or alone where there is none.
function openFeed() {
  if (!liveOf) return;
  if (!window.SharedWorker) return openOwnFeed();
  const { port } = new SharedWorker(body.dataset.worker, { name: body.dataset.worker });
  const tell = () => port.postMessage(document.hidden ? "hidden" : "visible");
  port.onmessage = ({ data }) => hear(data);
  document.addEventListener("visibilitychange", tell);
  addEventListener("pagehide", () => port.postMessage("gone"));
  addEventListener("pageshow", (event) => { if (event.persisted) { tell(); refreshSoon(); } });
  tell();
}

function openOwnFeed() {
  let feed = null;
  const follow = () => {
    if (document.hidden) { feed?.close(); feed = null; return; }
    if (feed) return;
    feed = new EventSource("/events");
    feed.addEventListener("ready", (event) => hear({ kind: "ready", mark: JSON.parse(event.data) }));
    feed.addEventListener("lagged", () => hear({ kind: "ready" }));
    feed.addEventListener("change", (event) => hear({ kind: "change", change: JSON.parse(event.data) }));
    feed.onerror = () => {
      hear({ kind: "lost" });
      if (feed?.readyState === EventSource.CLOSED) { feed = null; setTimeout(follow, 5000); }
    };
  };
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => { feed?.close(); feed = null; });
  addEventListener("pageshow", follow);
  follow();
}

// --- clock: one for all that grows older while nothing happens ---

let skew = 0; // ms by which the server's clock is ahead of this one

// setClock takes the server's time from a page that was just read.
function setClock(page) {
  const then = Date.parse(page.body.dataset.now);
  if (then) skew = then - Date.now();
}
const now = () => Date.now() + skew;

function ago(then) {
  const seconds = (now() - then) / 1000;
  const away = Math.abs(seconds);
  if (away < 60) return say(seconds < 0 ? "in less than a minute" : "just now");
  let text = say("%d d", Math.floor(away / 86400));
  if (away < 3600) text = say("%d min", Math.floor(away / 60));
  else if (away < 86400 && seconds < 0) text = twoUnits("%d h", "%d h %d min", Math.floor(away / 60), 60);
  else if (away < 86400) text = say("%d h", Math.floor(away / 3600));
  return say(seconds < 0 ? "in %s" : "%s ago", text);
}

// soFar says how long something has lasted that goes on, as the server does.
function soFar(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return say("%.0f s", seconds);
  if (seconds < 3600) return twoUnits("%d min", "%d min %d s", seconds, 60);
  return twoUnits("%d h", "%d h %d min", Math.floor(seconds / 60), 60);
}

// twoUnits says a length in a large unit and a small one, of which it has many; none is
// left out.
function twoUnits(large, both, length, many) {
  const rest = length % many;
  const whole = Math.floor(length / many);
  return rest > 0 ? say(both, whole, rest) : say(large, whole);
}

// tick brings the times under a node up to date.
function tick(root) {
  const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  for (const time of root.querySelectorAll("time[data-ago]")) write(time, ago(Date.parse(time.dateTime)));
  for (const span of root.querySelectorAll("[data-since]")) write(span, soFar(now() - Date.parse(span.dataset.since)));
  for (const chart of root.querySelectorAll("svg[data-open]")) tickChart(chart, write);
  for (const clock of root.querySelectorAll("#clock")) write(clock, wallClock(clock.dataset.zone) ?? clock.textContent);
}

// tickChart draws the bars of a chart of which some still grow.
function tickChart(chart, write) {
  const [from, left, width] = [chart.dataset.from, chart.dataset.left, chart.dataset.width].map(Number);
  const whole = Math.max(now() - from, 1);
  for (const bar of chart.querySelectorAll("rect[data-from]")) {
    const [start, end] = [Number(bar.dataset.from), Number(bar.dataset.to) || now()];
    const at = left + Math.floor(width * (start - from) / whole);
    bar.setAttribute("x", at);
    bar.setAttribute("width", Math.max(left + Math.floor(width * (end - from) / whole) - at, 3));
    if (!bar.dataset.to) write(bar.querySelector("title"), `${bar.dataset.says} ${soFar(end - start)}`);
  }
  const step = markStep(whole / 1000) * 1000;
  for (const mark of chart.querySelectorAll("[data-mark]")) {
    const at = step * Number(mark.dataset.mark);
    mark.setAttribute("visibility", at > whole ? "hidden" : "visible");
    if (at > whole) continue;
    mark.setAttribute("transform", `translate(${left + Math.floor(width * at / whole)} 0)`);
    write(mark.querySelector("text"), at === 0 && step >= 60000 ? say("%d min", 0) : soFar(at));
  }
}

// markStep is the round number of seconds between two marks of a scale, as the server
// counts.
function markStep(seconds) {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200];
  return steps.find((step) => seconds / step <= 6) ?? 86400 * (Math.floor(seconds / 6 / 86400) + 1);
}

// wallClock is the time of day in a zone; nothing when the browser does not know it.
function wallClock(zone) {
  try {
    const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(now());
    return `${time} ${zone}`;
  } catch {
    return undefined;
  }
}

setInterval(() => { if (!document.hidden) tick(document); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(document); });

// --- window: some links, forms that ask and the tasks of the graph open over the page ---

const box = byId("window");
let shown = null; // what the window shows: an address, and the body of a form that asks
let before = null; // what it showed before it asked, to go back to

const load = ({ address, values }) => (values ? fetch(address, { method: "POST", headers: asPart, body: values }) : read(address));

async function openWindow(source, back = null) {
  try {
    const answer = await load(source);
    if (answer.status === 401) { location.reload(); return; }
    fillWindow(readPage(await answer.text()));
    [shown, before] = [source, back];
    if (!box.open) box.showModal();
  } catch (error) {
    if (error instanceof TypeError || source.values) return toast(say("The server is not responding. Try again in a moment."));
    location.href = source.address;
  }
}

// paneOf is what a window shows of a page.
function paneOf(page) {
  const pane = page.getElementById("pane");
  if (!pane) throw new Error("no pane");
  if ("live" in pane.dataset) pane.dataset.fresh = "";
  pane.removeAttribute("data-live");
  const part = document.importNode(pane, true);
  tick(part);
  return part;
}

function fillWindow(page) {
  const close = document.createElement("button");
  close.className = "close";
  close.dataset.close = "";
  close.setAttribute("aria-label", byId("help").querySelector("button").textContent);
  close.textContent = "✕";
  box.setAttribute("aria-label", page.title.split(" · ")[0]);
  box.replaceChildren(paneOf(page), close);
  delete box.dataset.typed;
  startForms(box);
}

// refreshWindow reads the window's page anew after a change: a window never
// offers what is not possible any more.
async function refreshWindow() {
  const old = box.querySelector("#pane[data-fresh]");
  const source = shown;
  if (!box.open || !old || !source || box.querySelector("[data-sent]")) return;
  const page = readPage(await (await load(source)).text());
  await pressed;
  if (shown !== source || !box.open || !old.isConnected || !page.getElementById("pane")) return;
  const next = paneOf(page);
  keepKey(old, next);
  if (old.isEqualNode(next)) return;
  const focused = document.activeElement?.id;
  keepChecked(old, next);
  old.replaceWith(next);
  if (focused && box.contains(byId(focused))) byId(focused).focus();
  holdBack(old, next);
}

// keepKey lets a form that is read anew still ask for the same as before, should that have
// got no answer.
function keepKey(old, next) {
  const [was, now] = [old, next].map((pane) => pane.querySelector("input[name=idempotency_key]"));
  if (was && now) now.setAttribute("value", was.value);
}

// holdBack lets a button that has come to mean another thing take no click that
// was meant for what it was.
function holdBack(old, next) {
  const list = (pane) => pane.querySelector("input[name=shown]")?.value;
  const button = next.querySelector("[data-confirm]");
  if (!button || list(old) === list(next)) return;
  button.disabled = true;
  setTimeout(() => { button.disabled = false; }, 1000);
}

// typed reports whether the window holds what somebody has typed.
function typed() {
  const fields = [...box.querySelectorAll("form[data-keep] :is(input:not([type=hidden]), select, textarea)")];
  return box.open && fields.length > 0 && (Boolean(box.dataset.typed) || fields.some(changed));
}

function changed(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.matches("select")) return field.value !== (field.querySelector("option[selected]") ?? field.options[0])?.value;
  return field.value !== field.defaultValue;
}

box.addEventListener("cancel", (event) => {
  if (event.target !== box || !typed()) return;
  event.preventDefault();
  toast(say("You have unsaved input here. Press Esc again to discard it."));
});
box.addEventListener("close", () => { shown = before = null; box.replaceChildren(); });

// A click beside the window closes it, but not one that began inside, nor while
// there is something in it that somebody has typed.
let pressedBeside = false;
function isBeside(event) {
  const frame = box.getBoundingClientRect();
  return event.target === box && (event.clientX < frame.left || event.clientX > frame.right || event.clientY < frame.top || event.clientY > frame.bottom);
}
box.addEventListener("pointerdown", (event) => { pressedBeside = isBeside(event); });

document.addEventListener("click", (event) => {
  if (event.target === box) {
    if (!pressedBeside || !isBeside(event)) return;
    if (typed()) return toast(say("You have unsaved input here. Close the window with ✕ to discard it."));
    return box.close();
  }
  const close = event.target.closest("[data-close], [data-back]");
  if (close && box.open) {
    event.preventDefault();
    if ("back" in close.dataset && before) return openWindow(before);
    return box.close();
  }
  if (event.target.closest("[data-help]")) return byId("help").showModal();
  const link = event.target.closest("a[data-window], svg.graph a.node");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  const address = link.getAttribute("href");
  if (address.includes("/details#")) return;
  event.preventDefault();
  if (typed() && !confirm(say("Replace what you have typed?"))) return;
  openWindow({ address });
});

// A form that asks shows in the window what it would do.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.elements.ask || event.defaultPrevented) return;
  event.preventDefault();
  const values = new URLSearchParams(new FormData(form, event.submitter));
  openWindow({ address: form.action, values }, box.open ? shown : null);
});

// Another form in a window leads on to where it is answered, or stays when it
// has a fault.
box.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || form.elements.ask) return;
  event.preventDefault();
  const values = new URLSearchParams(new FormData(form, event.submitter));
  if (event.submitter?.value === "preview") return showPreview(form);
  const button = event.submitter;
  if (button) { button.disabled = true; button.dataset.sent = ""; }
  const keep = "keep" in form.dataset;
  try {
    // As a fragment, the page that this is redirected to keeps its notice for the reader.
    const answer = await fetch(form.action, { method: "POST", headers: asPart, body: values });
    if (answer.redirected) { location.href = answer.url; return; }
    fillWindow(readPage(await answer.text()));
    if (keep) box.dataset.typed = "1"; // which is the form's content now
    showFault(box);
  } catch {
    unanswered();
    if (button) { button.disabled = false; delete button.dataset.sent; }
  }
});

// showFault leads to the first field that is wrong, or to what is wrong with the whole.
function showFault(root) {
  const first = root.querySelector('[aria-invalid="true"]') ?? root.querySelector("#faults");
  first?.focus({ preventScroll: true });
  first?.scrollIntoView({ block: "center" });
}

// --- trigger: faults and a preview while one types ---

let previewTimer = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-preview]");
  if (!form) return;
  nameTrigger(form);
  clearTimeout(previewTimer);
  previewTimer = setTimeout(() => showPreview(form), 300);
});

async function showPreview(form) {
  const values = new URLSearchParams(new FormData(form));
  values.set("mode", "preview");
  try {
    const answer = await fetch(form.action, { method: "POST", headers: asPart, body: values });
    const page = readPage(await answer.text());
    await pressed;
    for (const part of page.querySelectorAll("[data-part]")) {
      const old = form.querySelector("#" + CSS.escape(part.id));
      if (old && !old.isEqualNode(part)) old.replaceWith(document.importNode(part, true));
    }
    for (const field of form.querySelectorAll(".field")) {
      const wrong = Boolean(field.querySelector(".error")?.textContent);
      field.querySelector("input, select, textarea")?.setAttribute("aria-invalid", String(wrong));
    }
    correct(form.parentNode, page);
    startEditors(form.parentNode);
  } catch {
    // The next letter tries again.
  }
}

// correct keeps the summary of a refusal true while the faults are being mended; it goes with
// the last of them. Before a refusal there is none.
function correct(root, page) {
  const [told, rest] = [root.querySelector("#faults"), page.getElementById("faults")];
  if (!told) return;
  if (!rest) told.remove();
  else if (!told.isEqualNode(rest)) told.replaceWith(document.importNode(rest, true));
}

// nameTrigger names the button after what it will do with what stands in the form.
function nameTrigger(form) {
  const name = form.querySelector("[data-plain]");
  if (!name) return;
  const blank = ["", "{}"].includes(form.elements.conf.value.replace(/\s/g, ""));
  const value = (field) => (field.type === "checkbox" ? String(field.checked) : field.value);
  const plain = blank && [...form.querySelectorAll("[data-default]")].every((field) => value(field) === field.dataset.default);
  name.textContent = plain ? name.dataset.plain : name.dataset.config;
}

function startForms(root) {
  startEditors(root);
  for (const form of root.querySelectorAll("form[data-preview]")) nameTrigger(form);
}

// startEditors numbers the lines of JSON editors and marks the one with a fault.
function startEditors(root) {
  for (const editor of root.querySelectorAll(".editor")) {
    const [gutter, area] = [editor.querySelector(".gutter"), editor.querySelector("textarea")];
    const bad = Number(editor.parentNode.querySelector("[data-line]")?.dataset.line);
    const number = () => {
      const lines = area.value.split("\n").map((_, i) => {
        const line = document.createElement("span");
        line.textContent = i + 1;
        if (i + 1 === bad) line.className = "bad";
        return line;
      });
      gutter.replaceChildren(...lines);
    };
    gutter.hidden = false;
    area.oninput = number;
    area.onscroll = () => { gutter.scrollTop = area.scrollTop; };
    number();
  }
}

// --- graph: zoom by button and wheel, pan by dragging ---

let zoomed = 0; // the scale that somebody chose, which holds for the next drawing too

function startGraph(paper) {
  const drawing = () => paper.querySelector("svg");
  const [width, height] = [drawing().width.baseVal.value, drawing().height.baseVal.value];
  let scale = 1;
  const zoom = (wanted, x = paper.clientWidth / 2, y = paper.clientHeight / 2) => {
    const next = Math.min(3, Math.max(0.1, wanted));
    const [left, top] = [(paper.scrollLeft + x) / scale, (paper.scrollTop + y) / scale];
    scale = next;
    drawing().setAttribute("width", width * scale);
    drawing().setAttribute("height", height * scale);
    paper.scrollTo(left * scale - x, top * scale - y);
  };
  const fit = () => zoom(Math.min(1, (paper.clientWidth - 4) / width, (innerHeight * 0.7) / height));
  const bar = document.querySelector(".zoom");
  bar.hidden = false;
  bar.addEventListener("click", (event) => {
    const how = event.target.dataset.zoom;
    if (how === "in") zoom(scale * 1.25);
    if (how === "out") zoom(scale / 1.25);
    if (how === "fit") fit();
    zoomed = scale;
  });
  paper.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const frame = paper.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - frame.left, event.clientY - frame.top);
    zoomed = scale;
  }, { passive: false });
  let from = null;
  paper.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest("a")) {
      from = { x: event.clientX + paper.scrollLeft, y: event.clientY + paper.scrollTop };
      paper.setPointerCapture(event.pointerId);
    }
  });
  paper.addEventListener("pointermove", (event) => { if (from) paper.scrollTo(from.x - event.clientX, from.y - event.clientY); });
  paper.addEventListener("pointerup", () => { from = null; });
  if (zoomed) zoom(zoomed);
  else if (width > paper.clientWidth && width < 2 * paper.clientWidth) fit();
}

// --- log: read piece by piece, follows the end until somebody scrolls up ---

const keepLines = 12_000; // on the page at once

// sizeOf writes a number of bytes, as the server does.
function sizeOf(bytes) {
  if (bytes < 2 ** 10) return say("%d B", bytes);
  const [unit, much] = bytes < 2 ** 20 ? ["%.1f KiB", bytes / 2 ** 10] : ["%.1f MiB", bytes / 2 ** 20];
  return say(unit, much.toLocaleString(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 }));
}

// tellSize says how long the log is; a log that has just begun is offered for download then.
function tellSize(bytes) {
  const told = byId("logsize");
  if (told) told.textContent = sizeOf(bytes); else refreshSoon();
}

function startLog(log) {
  const [follow, state, hits] = [byId("follow"), byId("logstate"), byId("hits")];
  let [from, to] = [Number(log.dataset.from), Number(log.dataset.to)];
  let more = "more" in log.dataset; // lines follow that are not on the page
  let following = !more && !location.hash.startsWith("#b");
  let loading = false;
  let stream = null;
  const lines = () => log.querySelectorAll(".ll");
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  const centre = (line) => {
    if (line) log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top - log.clientHeight / 2;
  };
  const mark = (line) => {
    log.querySelector(".current")?.classList.remove("current");
    line?.classList.add("current");
  };
  for (const link of log.querySelectorAll(".logmore")) link.remove();

  async function piece(place, at) {
    const answer = await read(`${log.dataset.pieces}&${place}=${at}`);
    if (!answer.ok) throw new Error(String(answer.status));
    const part = readPage(await answer.text()).getElementById("piece");
    tellSize(Number(part.dataset.size));
    return { from: Number(part.dataset.from), to: Number(part.dataset.to), size: Number(part.dataset.size), lines: [...document.importNode(part, true).children] };
  }

  // load runs one read at a time, and again after a while when it failed.
  async function load(work) {
    if (loading) return;
    loading = true;
    try {
      await work();
      if (state.textContent === say("The server is not responding. Trying again…")) state.textContent = "";
    } catch {
      state.textContent = say("The server is not responding. Trying again…");
      setTimeout(() => load(work), 2000);
    } finally { loading = false; }
  }

  const earlier = () => load(async () => {
    if (from <= 0) return;
    const part = await piece("before", from);
    const height = log.scrollHeight;
    log.prepend(...part.lines);
    log.scrollTop += log.scrollHeight - height;
    from = part.from;
    const all = lines();
    if (all.length > keepLines && !following) {
      for (const line of [...all].slice(keepLines)) line.remove();
      to = Number(all[keepLines].id.slice(1));
      more = true;
      stream?.close();
      stream = null;
    }
  });

  const later = () => load(async () => {
    if (!more) return;
    const part = await piece("after", to);
    log.append(...part.lines);
    to = part.to;
    dropFirst();
    if (part.to >= part.size || part.lines.length === 0) { more = false; openStream(); }
  });

  function dropFirst() {
    const all = lines();
    const surplus = all.length - keepLines;
    if (surplus <= 0) return;
    const height = log.scrollHeight;
    for (const line of [...all].slice(0, surplus)) line.remove();
    if (!following) log.scrollTop -= height - log.scrollHeight;
    from = Number(lines()[0].id.slice(1));
  }

  log.addEventListener("scroll", () => {
    if (log.scrollTop < 600) earlier();
    if (more && log.scrollHeight - log.scrollTop - log.clientHeight < 600) later();
    following = !more && atEnd();
    follow.hidden = following;
  });
  follow.addEventListener("click", () => {
    if (more) { location.href = byId("toend")?.href ?? location.pathname; return; }
    following = true;
    follow.hidden = true;
    toEnd();
  });

  function openStream() {
    if (!log.dataset.stream || stream || more) return;
    const address = new URL(log.dataset.stream, location.href);
    address.searchParams.set("offset", to);
    stream = new EventSource(address);
    stream.onopen = () => { state.textContent = say("Following the log…"); };
    stream.onmessage = (event) => {
      byId("nolog")?.remove();
      log.append(...readPage(JSON.parse(event.data)).body.children);
      to = Number(event.lastEventId);
      tellSize(to);
      dropFirst();
      if (following) toEnd();
    };
    stream.addEventListener("end", () => {
      stream.close();
      delete log.dataset.stream;
      state.textContent = say("The log is complete.");
      refreshSoon();
    });
    stream.addEventListener("short", () => {
      stream.close();
      delete log.dataset.stream;
      state.textContent = say("The log is shorter than what is shown: something has truncated it. Reload the page.");
    });
    stream.onerror = () => {
      state.textContent = stream?.readyState === EventSource.CLOSED
        ? say("The log is no longer followed: reload the page.") : say("The connection is lost; trying again…");
    };
  }
  addEventListener("pagehide", () => { stream?.close(); stream = null; });

  // search: marks the lines that are on the page, and reads others when needed
  const field = byId("logsearch").elements.q;
  let found = { count: 0, at: [] };
  let current = -1;

  async function search() {
    const query = field.value.trim();
    const pieces = new URL(log.dataset.pieces, location.href);
    if (query) pieces.searchParams.set("q", query); else pieces.searchParams.delete("q");
    log.dataset.pieces = pieces.pathname + pieces.search;
    pieces.pathname = pieces.pathname.replace(/lines$/, "search");
    found = { count: 0, at: [] };
    try {
      if (query) found = await (await read(pieces, {})).json();
    } catch {
      return toast(say("The server is not responding. Try again in a moment."));
    }
    const set = new Set(found.at);
    for (const line of lines()) line.classList.toggle("hit", set.has(Number(line.id.slice(1))));
    hits.textContent = query ? (found.count ? `${found.count}` : say("no match")) : "";
    for (const id of ["prev", "next"]) { byId(id).hidden = !found.count; byId(id).href = "#log"; }
    current = -1;
    if (found.count) jump(found.at.findLastIndex((at) => at < to));
  }

  async function jump(index) {
    if (!found.at.length) return;
    current = (index + found.at.length) % found.at.length;
    const at = found.at[current];
    if (!byId("b" + at)) {
      await load(async () => {
        const part = await piece("at", at);
        log.replaceChildren(...part.lines);
        [from, to, more] = [part.from, part.to, part.to < part.size];
        if (more) { stream?.close(); stream = null; }
      });
    }
    const line = byId("b" + at);
    mark(line);
    centre(line);
    following = false;
    hits.textContent = `${current + 1} / ${found.count}`;
  }

  let searchTimer = 0;
  field.addEventListener("input", () => { clearTimeout(searchTimer); searchTimer = setTimeout(search, 250); });
  byId("logsearch").addEventListener("submit", (event) => {
    event.preventDefault();
    if (found.count) jump(current + 1); else search();
  });
  byId("next").addEventListener("click", (event) => { event.preventDefault(); jump(current + 1); });
  byId("prev").addEventListener("click", (event) => { event.preventDefault(); jump(current - 1); });

  // The time of a line is its link: the address then leads to the line.
  log.addEventListener("click", (event) => {
    const link = event.target.closest("a.lt");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    mark(link.parentNode);
  });

  const target = location.hash.startsWith("#b") && byId(location.hash.slice(1));
  if (target) centre(target); else if (!more) toEnd();
  if (field.value) search();
  openStream();
}

// --- keyboard ---

let prefix = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  if (document.querySelector("dialog[open]")) return; // which no key leads away from
  const key = event.key;
  if (prefix === "g") {
    prefix = "";
    const link = document.querySelector(`.bar [data-key="${CSS.escape(key)}"]`);
    if (link) { event.preventDefault(); location.href = link.href; }
    return;
  }
  if (key === "g") { prefix = "g"; setTimeout(() => { prefix = ""; }, 1500); return; }
  if (key === "/") {
    const field = document.querySelector("main input[type=search]");
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  } else if (key === "?") {
    byId("help").showModal();
  } else if (key === "t") {
    document.querySelector('main [data-key="t"]')?.click();
  } else if (/^[1-9]$/.test(key)) {
    document.querySelectorAll(".tabs a")[key - 1]?.click();
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
for (const button of document.querySelectorAll("[data-help]")) button.hidden = false;
if (byId("notice")) setTimeout(() => byId("notice")?.remove(), 15_000);

// startPage starts what a page has beyond links and forms.
function startPage() {
  for (const all of document.querySelectorAll("[data-all]")) all.hidden = false;
  // On a phone not all tabs can be seen at once.
  const tab = document.querySelector(".tabs [aria-current]");
  if (tab) tab.parentNode.scrollLeft = tab.offsetLeft - tab.parentNode.offsetLeft - (tab.parentNode.clientWidth - tab.offsetWidth) / 2;
  const paper = byId("paper");
  if (paper?.querySelector("svg")) startGraph(paper);
  startForms(document);
  tick(document);
}

// In the grid, the arrow keys go where they point.
const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
document.addEventListener("keydown", (event) => {
  const cell = event.target.closest(".grid td, .grid th"), step = steps[event.key];
  if (!cell || !step || event.altKey || event.ctrlKey || event.metaKey) return;
  const row = cell.closest("table").rows[cell.parentNode.rowIndex + step[0]];
  const next = row?.cells[cell.cellIndex + step[1]]?.querySelector("a");
  if (!next) return;
  event.preventDefault();
  next.focus();
});

setClock(document);
startPage();
const log = byId("log");
if (log) startLog(log);

// What nobody sees at first waits until the page was painted: a worker and the
// names of time zones take time to load.
const begin = () => { openFeed(); offerOwnZone(); };
if (document.hidden) begin(); else requestAnimationFrame(() => setTimeout(begin));
