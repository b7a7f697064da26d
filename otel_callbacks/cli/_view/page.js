"use strict";
// Everything from the data becomes text, never markup.
const traces = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const make = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const KINDS = { chat: "chat", text_completion: "chat", embeddings: "chat", execute_tool: "tool", invoke_agent: "agent", retrieval: "retrieval" };
const MESSAGES = ["gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"];
const SHOWN_AT_ONCE = 300;
const time = (seconds) => seconds >= 100 ? seconds.toFixed(0) + " s" : seconds >= 1 ? seconds.toFixed(2) + " s" : (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + " ms";

for (const trace of traces) {
  const start = Math.min(...trace.spans.map((span) => span.start));
  trace.start = start;
  trace.seconds = Math.max(...trace.spans.map((span) => span.start + span.seconds)) - start;
  trace.failed = trace.spans.some((span) => span.failed);
  trace.text = [trace.id, ...trace.spans.flatMap((span) => [span.name, span.attributes["error.type"], span.attributes["gen_ai.conversation.id"]])]
    .filter(Boolean).join("\n").toLowerCase();
  trace.root = trace.spans.find((span) => !span.parent) || trace.spans[0];
}

function drawHistogram() {
  const bins = new Array(24).fill(0);
  const logs = traces.map((trace) => Math.log10(Math.max(trace.seconds, 1e-4)));
  const low = Math.min(...logs), high = Math.max(...logs, low + 0.01);
  for (const value of logs) bins[Math.min(23, Math.floor((value - low) / (high - low) * 24))] += 1;
  const most = Math.max(...bins, 1);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "192"); svg.setAttribute("height", "36"); svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Durations of traces, from ${time(10 ** low)} to ${time(10 ** high)}`);
  bins.forEach((count, index) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = count ? Math.max(2, 34 * count / most) : 0;
    for (const [key, value] of Object.entries({ x: index * 8, y: 36 - height, width: 7, height })) bar.setAttribute(key, value);
    svg.append(bar);
  });
  byId("histogram").append(svg, make("figcaption", "soft", traces.length ? `${time(10 ** low)} – ${time(10 ** high)}` : ""));
}

function drawList(wanted) {
  const found = traces.filter((trace) => trace.text.includes(wanted.toLowerCase()));
  const list = byId("traces");
  list.replaceChildren(...found.slice(0, SHOWN_AT_ONCE).map((trace) => {
    const item = make("li"), button = make("button");
    button.append(make("span", trace.failed ? "name bad" : "name", trace.root.name));
    button.append(make("span", "soft", `${time(trace.seconds)} · ${trace.spans.length} spans · ${new Date(trace.start * 1000).toLocaleString()}`));
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
    const button = make("button", "kind-" + (KINDS[span.attributes["gen_ai.operation.name"]] || "other") + (span.failed ? " failed" : ""));
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
  const parts = [make("h2", span.failed ? "bad" : "", span.name)];
  for (const key of MESSAGES) if (key in span.attributes) parts.push(...drawMessages(key, span.attributes[key]));
  const rest = Object.entries(span.attributes).filter(([key]) => !MESSAGES.includes(key));
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

document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const here = document.activeElement.closest && document.activeElement.closest("li");
  const next = here && (event.key === "ArrowDown" ? here.nextElementSibling : here.previousElementSibling);
  const button = next && next.querySelector("button");
  if (button) { event.preventDefault(); button.focus(); button.click(); }
});
byId("search").addEventListener("input", (event) => drawList(event.target.value));
drawHistogram();
drawList("");
const first = byId("traces").querySelector("button");
if (first) first.click(); else byId("trace").append(make("p", "soft", "No spans in these files."));
