// What a page can do when scripts are on: rows arrive by themselves, j and k move, p pauses, and a
// button copies. Text is set as text, never as HTML. Without this file every page still works.
"use strict";

const NAMES = { client: "Client", browser: "Browser", auth: "Authorization server", mcp: "MCP endpoint", db: "SQLite" };
const seq = document.getElementById("seq");
const live = document.getElementById("live");
const pause = document.getElementById("pause");
const waiting = [];
let paused = false;

function arrange(row) {
  const item = document.getElementById("row").content.firstElementChild.cloneNode(true);
  const link = item.firstElementChild;
  const stored = row.tone === "stored";
  item.className = `${row.tone} from-${row.start} to-${row.end}${row.back ? " back" : ""} new`;
  item.dataset.n = row.n;
  link.href = `/-/wire/${row.n}${stored ? "#store" : ""}`;
  link.querySelector(".n").textContent = row.n;
  link.querySelector(".lanes-said").textContent = `, ${NAMES[row.start]} to ${NAMES[row.end]}: `;
  link.querySelector(".said").textContent = row.said;
  link.querySelector(".ended .vh").textContent = stored ? ", stored " : ", status ";
  link.querySelector(".value").textContent = row.ended;
  if (row.note) link.querySelector(".note").textContent = row.note;
  else link.querySelector(".note").remove();
  if (row.fault) link.querySelector(".broken").textContent = `fault: ${row.fault}`;
  else link.querySelector(".broken").remove();
  return item;
}

function show(rows) {
  if (rows.length) for (const old of seq.querySelectorAll(`[data-n="${rows[0].n}"]`)) old.remove();
  for (const row of rows) seq.append(arrange(row));
  live.textContent = `${seq.children.length} messages`;
}

function follow() {
  const source = new EventSource(`/-/wire/events?q=${encodeURIComponent(seq.dataset.q)}&after=${seq.dataset.after}`);
  source.onmessage = (event) => {
    const rows = JSON.parse(event.data);
    if (paused) waiting.push(rows);
    else show(rows);
  };
  source.onopen = () => { document.body.dataset.live = "yes"; };
}

function toggle() {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  if (!paused) while (waiting.length) show(waiting.shift());
  live.textContent = paused ? "Live view paused" : `${seq.children.length} messages`;
}

function move(by) {
  const links = [...seq.querySelectorAll("a")];
  const from = links.indexOf(document.activeElement);
  const chosen = links.findIndex((link) => link.hasAttribute("aria-current"));
  const at = (from < 0 ? chosen : from) + by;
  links[Math.max(0, Math.min(links.length - 1, at))]?.focus();
}

if (seq) {
  pause.hidden = false;
  pause.addEventListener("click", toggle);
  addEventListener("keydown", (key) => {
    if (key.target.closest("input, select, textarea") || key.ctrlKey || key.metaKey || key.altKey) return;
    if (key.key === "j") move(1);
    if (key.key === "k") move(-1);
    if (key.key === "p") toggle();
  });
  seq.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  follow();
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("#again + pre").textContent);
    button.textContent = "Copied";
  });
}

const held = document.getElementById("held");

async function look() {
  const told = await (await fetch("/-/oauth.json")).json();
  if (told.held.map((each) => each.id).join() !== held.dataset.ids) location.reload();
  else setTimeout(look, 500);
}

if (held && held.dataset.on) setTimeout(look, 500);
