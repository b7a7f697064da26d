"use strict";
// Everything from the data becomes text, never markup.
const traces = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
// The names that spans carry, from semconv.py.
const NAMES = {{NAMES}};
const SHOWN_AT_ONCE = 300;
const time = (seconds) => seconds >= 100 ? seconds.toFixed(0) + " s" : seconds >= 1 ? seconds.toFixed(2) + " s" : (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + " ms";
const when = (seconds) => new Date(seconds * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });

const durations = new Map();
for (const span of traces.flatMap((trace) => trace.spans)) {
  if (!durations.has(span.name)) durations.set(span.name, []);
  durations.get(span.name).push(span.seconds);
}
for (const trace of traces) {
  const start = Math.min(...trace.spans.map((span) => span.start));
  trace.start = start;
  trace.seconds = Math.max(...trace.spans.map((span) => span.start + span.seconds)) - start;
  trace.failed = trace.spans.some((span) => span.failed);
  trace.text = [trace.id, ...trace.spans.flatMap((span) => [span.name, span.attributes[NAMES.errorType], span.attributes[NAMES.conversation]])]
    .filter(Boolean).join("\n").toLowerCase();
  trace.root = trace.spans.find((span) => !span.parent) || trace.spans[0];
}

const BINS = 24;
const percentile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

/** The distribution of durations on a logarithmic axis; the bar that holds `marked` stands out. */
function histogram(what, seconds, marked) {
  const sorted = seconds.map((value) => Math.max(value, 1e-4)).sort((a, b) => a - b);
  const low = Math.log10(sorted[0]), high = Math.max(Math.log10(sorted[sorted.length - 1]), low + 0.01);
  const binOf = (value) => Math.min(BINS - 1, Math.floor((Math.log10(Math.max(value, 1e-4)) - low) / (high - low) * BINS));
  const bins = new Array(BINS).fill(0);
  for (const value of sorted) bins[binOf(value)] += 1;
  const most = Math.max(...bins);
  const text = `${what}: ${sorted.length}, p50 ${time(percentile(sorted, 0.5))}, p95 ${time(percentile(sorted, 0.95))}, longest ${time(sorted[sorted.length - 1])}`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", BINS * 8); svg.setAttribute("height", "36"); svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Histogram");
  bins.forEach((count, index) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = count ? Math.max(2, 34 * count / most) : 0;
    for (const [key, value] of Object.entries({ x: index * 8, y: 36 - height, width: 7, height })) bar.setAttribute(key, value);
    if (marked !== undefined && binOf(marked) === index) bar.setAttribute("class", "marked");
    svg.append(bar);
  });
  return [svg, make("figcaption", "soft", text)];
}

function drawList(wanted) {
  const found = traces.filter((trace) => trace.text.includes(wanted.toLowerCase()));
  const list = byId("traces");
  list.replaceChildren(...found.slice(0, SHOWN_AT_ONCE).map((trace) => {
    const item = make("li"), button = make("button");
    button.append(make("span", trace.failed ? "name bad" : "name", trace.root.name));
    button.append(make("span", "soft", `${time(trace.seconds)} · ${trace.spans.length} span${trace.spans.length > 1 ? "s" : ""} · ${when(trace.start)}`));
    button.addEventListener("click", () => { mark(list, button); drawTrace(trace); });
    item.append(button);
    return item;
  }));
  if (found.length > SHOWN_AT_ONCE) list.append(make("li", "soft", `… and ${found.length - SHOWN_AT_ONCE} more: search`));
  byId("summary").textContent = `${found.length} of ${traces.length} traces, ${traces.reduce((sum, trace) => sum + trace.spans.length, 0)} spans`;
}

function mark(list, chosen) {
  for (const button of list.querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
  chosen.setAttribute("aria-current", "true");
}

function ordered(trace) {
  const children = new Map(), known = new Set(trace.spans.map((span) => span.id));
  for (const span of trace.spans) {
    const parent = known.has(span.parent) ? span.parent : "";
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(span);
  }
  const rows = [], seen = new Set();
  const stack = [...(children.get("") || [])].sort((a, b) => b.start - a.start).map((span) => [span, 0]);
  while (stack.length) {
    const [span, depth] = stack.pop();
    if (seen.has(span)) continue;
    seen.add(span);
    rows.push([span, depth]);
    for (const child of [...(children.get(span.id) || [])].sort((a, b) => b.start - a.start)) stack.push([child, depth + 1]);
  }
  return rows;
}

function drawTrace(trace) {
  const list = make("ul", "rows");
  for (const [span, depth] of ordered(trace)) {
    const button = make("button", "kind-" + (NAMES.kinds[span.attributes[NAMES.operation]] || "other") + (span.failed ? " failed" : ""));
    const label = make("span", "label", span.name), lane = make("span", "lane"), bar = make("span", "bar");
    label.style.paddingLeft = Math.min(depth, 20) * 12 + "px";
    bar.style.left = 100 * (span.start - trace.start) / (trace.seconds || 1) + "%";
    bar.style.width = 100 * span.seconds / (trace.seconds || 1) + "%";
    lane.append(bar);
    button.append(label, lane, make("span", "time soft", time(span.seconds)));
    button.setAttribute("aria-label", `${span.name}, ${time(span.seconds)}${span.failed ? ", failed" : ""}, level ${depth + 1}`);
    button.addEventListener("click", () => { mark(list, button); drawDetails(span); });
    const item = make("li");
    item.append(button);
    list.append(item);
  }
  byId("trace").replaceChildren(make("h2", "", trace.root.name), make("p", "soft", `trace ${trace.id} · ${trace.service}`), list);
  byId("details").replaceChildren();
  list.querySelector("button").click();
}

function drawDetails(span) {
  const alike = make("figure");
  alike.append(...histogram(`all ${span.name}`, durations.get(span.name), span.seconds));
  const parts = [make("h2", span.failed ? "bad" : "", span.name), alike];
  for (const key of NAMES.messages) if (key in span.attributes) parts.push(...drawMessages(key, span.attributes[key]));
  const rest = Object.entries(span.attributes).filter(([key]) => !NAMES.messages.includes(key));
  parts.push(drawTable([["span id", span.id], ["kind", span.kind], ["status", span.status], ...rest]));
  for (const event of span.events) parts.push(make("h2", "", "event " + event.name), drawTable(Object.entries(event.attributes)));
  byId("details").replaceChildren(...parts);
}

function drawTable(rows) {
  const table = make("table");
  for (const [key, value] of rows) {
    if (value === "" || value === undefined) continue;
    const row = make("tr"), head = make("th", "", key);
    head.scope = "row";
    row.append(head, make("td", "", typeof value === "string" ? value : JSON.stringify(value)));
    table.append(row);
  }
  return table;
}

function drawMessages(key, text) {
  let messages;
  try { messages = JSON.parse(text); } catch { return [make("h2", "", key), make("p", "message", text)]; }
  const list = Array.isArray(messages) ? messages : [messages];
  return [make("h2", "", key), ...list.map((message) => {
    const parts = message && Array.isArray(message.parts) ? message.parts : [message];
    const role = (message && message.role) || "system";
    const box = make("div", "message " + (["user", "assistant"].includes(role) ? role : "other"));
    box.append(make("span", "role", role), document.createTextNode(parts.map(partText).join("\n")));
    return box;
  })];
}

function partText(part) {
  if (!part || typeof part !== "object") return String(part);
  if (typeof part.content === "string") return part.type === "text" ? part.content : `[${part.type}] ${part.content}`;
  if (part.type === "tool_call") return `→ ${part.name}(${JSON.stringify(part.arguments ?? {})})`;
  if (part.type === "tool_call_response") return `← ${typeof part.response === "string" ? part.response : JSON.stringify(part.response)}`;
  return JSON.stringify(part);
}

/** The chosen button of a list, or its first. */
const chosenIn = (list) => list && (list.querySelector("button[aria-current]") || list.querySelector("button"));

function targetOf(key, here) {
  const item = here.closest("li");
  if (key === "ArrowDown" && here.id === "search") return byId("traces").querySelector("button");
  if (key === "ArrowRight" && here.closest("nav li")) return chosenIn(byId("trace").querySelector(".rows"));
  if (key === "ArrowLeft" && here.closest(".rows")) return chosenIn(byId("traces"));
  if (!item || (key !== "ArrowDown" && key !== "ArrowUp")) return null;
  const next = key === "ArrowDown" ? item.nextElementSibling : item.previousElementSibling;
  return next && next.querySelector("button");
}

document.addEventListener("keydown", (event) => {
  const here = document.activeElement || document.body;
  if (event.key === "/" && here.id !== "search") { event.preventDefault(); byId("search").focus(); return; }
  const button = targetOf(event.key, here);
  if (button) { event.preventDefault(); button.focus(); button.click(); }
});
byId("search").addEventListener("input", (event) => drawList(event.target.value));
if (traces.length) byId("histogram").append(...histogram("traces", traces.map((trace) => trace.seconds)));
drawList("");
const first = byId("traces").querySelector("button");
if (first) first.click(); else byId("trace").append(make("p", "soft", "No spans in these files."));
