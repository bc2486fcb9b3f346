// Keeps the page up to date: listens to server-sent events, and fetches the page again when more than
// figures has changed. Without this script, the page reloads once a minute.

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const SECOND_LOOK = 5_000;
const PAUSE_WHILE_OVERDUE = 15_000;
const SLACK = 2; // seconds
const OUT_OF_DATE = 45_000; // milliseconds; more than the longest delay

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const notice = document.getElementById("notice");
const announcer = document.getElementById("announcer");

let clockAhead = Date.parse(main.dataset.now) - Date.now(); // the server's clock minus this one, in ms
let source = null;
let connecting = 0; // timer of the next attempt
let attempts = 0;
let isLive = false;
let heardAt = Date.now(); // while not live: when the server last answered
let last = null; // the last status document

let refreshing = false;
let refreshTimer = 0;

// Connection

function connect() {
  clearTimeout(connecting);
  source?.close();
  source = new EventSource("/api/events");
  let first = true;
  source.addEventListener("status", (event) => {
    receive(JSON.parse(event.data), first && event.lastEventId !== main.dataset.id);
    first = false;
  });
  source.addEventListener("incidents", refresh);
  source.addEventListener("history", refresh);
  source.addEventListener("error", lose);
}

function disconnect() {
  clearTimeout(connecting);
  source?.close();
  source = null;
}

// A browser reconnects by itself only after some errors, and all browsers at the same time.
function lose() {
  disconnect();
  if (isLive) heardAt = Date.now();
  isLive = false;
  say(connection, "Reconnecting…");
  connection.classList.remove("live");
  const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts);
  attempts += 1;
  connecting = setTimeout(() => {
    connect();
    refresh();
  }, delay * (0.5 + Math.random() / 2));
}

function receive(status, mayHaveMissed) {
  isLive = true;
  attempts = 0;
  say(connection, "Live");
  connection.classList.add("live");
  clockAhead = Date.parse(status.started_at) + status.uptime * 1_000 - Date.now();
  const before = last;
  last = status;
  showFigures(status);
  if (before) announce(before, status);
  if (mayHaveMissed || (before && substance(before) !== substance(status)) || disagrees()) refresh();
  tick();
}

// The parts of a status document that need a new page when they change.
function substance(status) {
  const components = Object.values(status.components).map((component) => [
    component.state, component.message, component.since, component.stale, component.checked_at === null, component.details,
  ]);
  return JSON.stringify([status.release, status.open_incidents, components]);
}

function announce(before, status) {
  const changes = Object.values(status.components)
    .filter((component) => component.state !== before.components[component.id]?.state)
    .map((component) => `${component.name} is ${component.state}.`);
  if (changes.length) say(announcer, `${status.message} ${changes.join(" ")}`);
}

// The page

function showFigures(status) {
  setTime(document.querySelector("#overall .age"), status.checked_at);
  for (const component of Object.values(status.components)) {
    const row = document.getElementById(`component-${component.id}`);
    for (const time of row?.querySelectorAll(".checked time, .checked-at") ?? []) {
      setTime(time, component.checked_at);
    }
    const latency = row?.querySelector(".latency");
    if (latency && component.latency_ms != null) say(latency, wordedLatency(component.latency_ms));
  }
}

function setTime(time, at) {
  if (!time || at === null) return;
  const words = wordedMoment(new Date(at));
  time.dateTime = at;
  if (time.title) time.title = words;
  if (!time.classList.contains("age")) say(time, words);
}

// Another task of the service may have answered, with an older snapshot.
function disagrees() {
  return Object.values(last?.components ?? {}).some(
    (component) => document.getElementById(`component-${component.id}`)?.dataset.state !== component.state,
  );
}

function refreshIn(delay) {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, delay);
}

async function refresh() {
  if (refreshing) return refreshIn(FIRST_DELAY);
  clearTimeout(refreshTimer);
  refreshing = true;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    heardAt = Date.now();
    if (disagrees()) refreshIn(SECOND_LOOK);
  } catch {
    if (isLive) lose();
  } finally {
    refreshing = false;
  }
}

function show(fresh) {
  if (isOfAnotherRelease(fresh)) {
    location.reload();
    return;
  }
  clockAhead = Date.parse(fresh.getElementById("main").dataset.now) - Date.now();
  document.title = fresh.title;
  for (const id of ["main", "made"]) morph(document.getElementById(id), fresh.getElementById(id));
  if (last) showFigures(last);
  tick();
}

// A new release may have other scripts and styles. Once per release: two may run at the same time.
function isOfAnotherRelease(fresh) {
  const files = filesOf(fresh);
  if (files === filesOf(document) || sessionStorage.getItem(files) !== null) return false;
  sessionStorage.setItem(files, "loaded");
  return true;
}

function filesOf(page) {
  const elements = page.head.querySelectorAll("script[src], link[href]");
  return Array.from(elements, (element) => element.getAttribute("src") ?? element.getAttribute("href")).join(" ");
}

// Updates a node to match another, and keeps what is equal, so that focus, selection and scroll position
// stay. The reader decides which details are open.
function morph(node, fresh) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== fresh.data) node.data = fresh.data;
    return;
  }
  if (node.isEqualNode(fresh)) return;
  for (const { name } of [...node.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") node.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  let next = node.firstChild;
  for (const child of [...fresh.childNodes]) {
    const match = counterpart(node, next, child);
    if (!match) {
      node.insertBefore(child, next);
    } else {
      if (match !== next) node.insertBefore(match, next);
      next = match.nextSibling;
      morph(match, child);
    }
  }
  while (next) {
    const rest = next.nextSibling;
    next.remove();
    next = rest;
  }
}

function counterpart(parent, next, fresh) {
  if (fresh.id) return [...parent.children].find((child) => child.id === fresh.id);
  return next && next.nodeName === fresh.nodeName && !next.id ? next : null;
}

// Words, the same as the server's

function wordedAge(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

function wordedLatency(milliseconds) {
  return milliseconds < 999.5 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

function wordedMoment(at) {
  const [, , month] = at.toUTCString().split(" ");
  return `${at.getUTCDate()} ${month} ${at.getUTCFullYear()}, ${at.toISOString().slice(11, 19)} UTC`;
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

// Time

function tick() {
  const now = Date.now() + clockAhead;
  let overdue = false;
  for (const time of main.querySelectorAll("time.age")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1_000;
    say(time, `${wordedAge(seconds)} ago`);
    const row = time.closest(".component");
    overdue ||= row && !("stale" in row.dataset) && seconds > Number(main.dataset.staleAfter) + SLACK;
  }
  // Data from the table is announced only when it has changed.
  if (isLive && now - Date.parse(main.dataset.now) > PAUSE_WHILE_OVERDUE && isReadOverdue(now)) refresh();
  // Either the checks are overdue, as the server then reports, or the stream is dead without an error.
  if (overdue && isLive) lose();
  const isOutOfDate = !isLive && Date.now() - heardAt > OUT_OF_DATE;
  if (isOutOfDate && notice.hidden) {
    const since = wordedMoment(new Date(heardAt + clockAhead));
    say(notice, `No connection to the server since ${since}. This page may be out of date.`);
  }
  notice.hidden = !isOutOfDate;
}

function isReadOverdue(now) {
  return Array.from(main.querySelectorAll("[data-read-at]")).some(
    ({ dataset }) => now - Date.parse(dataset.readAt) > (Number(dataset.overdueAfter) + SLACK) * 1_000,
  );
}

addEventListener("pagehide", disconnect);
addEventListener("pageshow", (event) => event.persisted && connect());
addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.add("no-tips");
});
addEventListener("pointermove", () => document.body.classList.remove("no-tips"));

say(connection, "Connecting…");
setInterval(tick, 1_000);
connect();
