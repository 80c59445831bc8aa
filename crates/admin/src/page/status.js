// Shows /v1/status. Every value goes onto the page as text, never as markup.
"use strict";

const PERIOD = 2000;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// A cell is a text, or { text, className }.
function cell(value) {
  if (value !== null && typeof value === "object") return element("td", value.text, value.className);
  const text = value === null || value === undefined || value === "" ? "–" : String(value);
  return element("td", text, typeof value === "number" ? "number" : "");
}

function table(columns, rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const column of columns) head.append(element("th", column));
  const body = made.createTBody();
  for (const row of rows) body.insertRow().append(...row.map(cell));
  const scroll = element("div", undefined, "scroll");
  scroll.append(made);
  return scroll;
}

function section(title, columns, rows, empty) {
  const made = element("section");
  made.append(element("h2", title));
  if (rows.length > 0) made.append(table(columns, rows));
  else made.append(element("p", empty, "quiet"));
  return made;
}

const CLASS = { complete: "good", open: "good", failed: "bad", waiting: "warn", restored: "warn", error: "bad", warning: "warn" };

function state(word) {
  return { text: word, className: CLASS[word] || "" };
}

function yes(value) {
  return value ? { text: "yes", className: "good" } : { text: "no", className: "warn" };
}

function proof(identity = {}) {
  return ["certificate", "token"].includes(identity.by) ? identity.by + " " + identity.who : identity.by;
}

// What the server found is what the command line shows; an older server leaves it to its readers.
function problems(status) {
  if (Array.isArray(status.problems)) return status.problems;
  const found = [];
  if (status.gate.state === "waiting") found.push("Nothing is served yet: waiting for " + status.gate.waitingFor.join(", "));
  const fleets = status.fleets.map((fleet) => fleet.name);
  for (const node of status.nodes)
    if (status.gate.state !== "waiting" && !fleets.includes(node.fleet))
      found.push("node " + node.id + " has no gateway: none is of its fleet \"" + node.fleet + "\"; " + (fleets.length ? "the fleets are " + fleets.join(", ") : "there are no gateways"));
  for (const node of status.nodes)
    for (const rejection of node.rejected)
      found.push(node.id + " refused " + rejection.resource + ": " + rejection.error + (rejection.origins.length ? " (from " + rejection.origins.join(", ") + ")" : ""));
  return found;
}

function render(status) {
  const parts = [];
  const found = problems(status);
  if (found.length > 0) {
    const list = element("ul", undefined, "bad");
    list.append(...found.map((text) => element("li", text)));
    parts.push(list);
  }
  parts.push(section("Sources", ["Name", "Kind", "State", "Revision", "Objects", "Age in s", "Last error"],
    status.sources.map((s) => [s.name, s.kind, state(s.state), s.revision, s.objects, s.ageSeconds, s.lastError]),
    "Nothing is read."));
  parts.push(section("Fleets", ["Name", "Generation", "Listeners", "Routes", "Clusters", "Endpoints", "Secrets", "Nodes"],
    status.fleets.map((f) => [f.name, f.generation, f.listeners, f.routes, f.clusters, f.endpoints, f.secrets, f.nodes]),
    "No gateway makes one."));
  parts.push(section("Nodes", ["Id", "Fleet", "From", "Proved by", "Good until", "Envoy", "Protocol", "Since", "In sync", "Refused"],
    status.nodes.map((n) => [n.id, n.fleet, n.remote, proof(n.identity), (n.identity || {}).until, n.buildVersion, n.protocol, n.connectedSince, yes(n.inSync), n.rejected.length]),
    "No Envoy is connected."));
  parts.push(section("Findings", ["Severity", "Object", "Where", "Field", "What", "What to try"],
    status.reports.map((r) => [state(r.severity), r.object, r.location, r.path, r.message, r.hint]),
    "Nothing is wrong with any object."));
  if (status.held.length > 0)
    parts.push(section("Held deletions", ["Object", "Still used by", "Since", "Until"],
      status.held.map((h) => [h.object, h.referencedBy.join(", "), h.since, h.until]), ""));
  parts.push(section("Objects", ["Kind", "In use"], Object.entries(status.objects).filter(([, count]) => count > 0), "None."));
  document.getElementById("content").replaceChildren(...parts);
  const summary = document.getElementById("summary");
  summary.className = status.ready ? "good" : "bad";
  summary.textContent = (status.ready ? "Ready" : "Not ready") + " · gate " + status.gate.state + " · version " + status.version + " · since " + status.startedAt;
}

async function refresh() {
  try {
    const answer = await fetch("/v1/status", { cache: "no-store" });
    if (!answer.ok) throw new Error("status answers " + answer.status);
    render(await answer.json());
  } catch (error) {
    const summary = document.getElementById("summary");
    summary.className = "bad";
    summary.textContent = "Cannot read the status: " + error.message;
  } finally {
    setTimeout(refresh, PERIOD);
  }
}

refresh();
