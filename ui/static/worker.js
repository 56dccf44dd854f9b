// One change feed for all tabs of a browser: a shared worker holds the only
// connection, while at least one tab is visible, and passes on what it hears.

const ports = new Map(); // port → whether its tab is visible
let feed = null;
let retry = 0;
let mark = ""; // names the newest change that was heard

function tell(message) {
  for (const [port, visible] of ports) if (visible) port.postMessage(message);
}

function open() {
  clearTimeout(retry);
  feed = new EventSource("/events");
  feed.addEventListener("ready", (event) => {
    mark = JSON.parse(event.data);
    tell({ kind: "ready", mark });
  });
  feed.addEventListener("lagged", () => tell({ kind: "ready" }));
  feed.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    mark = `${mark.split("-")[0]}-${change.seq}`;
    tell({ kind: "change", change });
  });
  feed.onerror = () => {
    tell({ kind: "lost" });
    if (feed?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    feed = null;
    retry = setTimeout(follow, 5000);
  };
}

// follow opens the feed when somebody looks, and closes it when nobody does.
function follow() {
  const wanted = [...ports.values()].some(Boolean);
  if (wanted && !feed) return open();
  if (wanted || !feed) return;
  feed.close();
  feed = null;
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data === "gone") {
      ports.delete(port);
      return follow();
    }
    const before = ports.get(port);
    ports.set(port, data === "visible");
    // Whatever happened before the tab was here, or while it was hidden, was not told.
    if (data === "visible" && !before && feed?.readyState === EventSource.OPEN) port.postMessage({ kind: "ready", mark });
    follow();
  };
};
