// Keeps the page up to date while it is visible: listens to server-sent events, or asks every 30 seconds where
// there is no stream, and fetches the page again when more than figures has changed. Without this script, the
// page reloads once a minute.

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const COALESCE = 100;
const SECOND_LOOK = 5_000;
const HISTORY_PAUSE = 300_000; // bars grow by a minute each minute: that alone is worth a fetch in five
const SILENCE = 40_000; // the server says something every 15 seconds
const OUT_OF_DATE = 45_000; // more than the longest delay

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const notice = document.getElementById("notice");
const announcer = document.getElementById("announcer");
const isLivePage = "live" in main.dataset;

let clockAhead = 0; // the server's clock minus this one
let source = null;
let retryTimer = 0;
let attempts = 0;
let isLive = false;
let heardAt = Date.now(); // when the server last said something
let fetchedAt = Date.now();
let last = null; // the last status document
let looksAgain = false; // whether a page that disagrees with it is fetched once more

let refreshing = false;
let refreshTimer = 0;

// Connection. A browser opens six connections to a server over HTTP/1.1, so a hidden page has no stream.

function connect() {
  disconnect();
  if (document.hidden) return;
  source = new EventSource(main.dataset.events);
  source.addEventListener("status", (event) => {
    isLive = true;
    attempts = 0;
    clearTimeout(retryTimer);
    heardAt = Date.now();
    say(connection, "Live");
    connection.classList.add("live");
    receive(JSON.parse(event.data));
  });
  source.addEventListener("times", (event) => {
    const times = JSON.parse(event.data);
    heardAt = Date.now();
    setClock(times.now);
    receive(merged(last, times));
  });
  source.addEventListener("incidents", () => {
    heardAt = Date.now();
    refreshIn(COALESCE);
  });
  source.addEventListener("history", () => {
    heardAt = Date.now();
    if (Date.now() - fetchedAt > HISTORY_PAUSE || !main.querySelector(".bar")) refreshIn(COALESCE);
  });
  source.addEventListener("error", lose);
}

function disconnect() {
  clearTimeout(retryTimer);
  source?.close();
  source = null;
  isLive = false;
  connection.classList.remove("live");
}

// A browser reconnects by itself only after some errors, and all browsers at the same time.
function lose() {
  disconnect();
  if (!attempts) say(connection, "Reconnecting…");
  const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts);
  attempts += 1;
  retryTimer = setTimeout(retry, delay * (0.5 + Math.random() / 2));
}

async function retry() {
  connect();
  try {
    const answer = await fetch(main.dataset.status, { cache: "no-cache", signal: AbortSignal.timeout(10_000) });
    if (answer.status === 401) return location.reload(); // an operator's session has ended
    if (!answer.ok) throw new Error(`the status answered ${answer.status}`);
    setClock(answer.headers.get("Date"));
    const status = await answer.json();
    heardAt = Date.now();
    if (isLive) return;
    say(connection, "Updated every 30 s");
    receive(status);
  } catch {
    if (!isLive) say(connection, "Reconnecting…");
  }
}

function receive(status) {
  const before = last;
  last = status;
  showFigures();
  if (before) announce(before, status);
  const changed = before ? substance(before) !== substance(status) : disagrees();
  if (changed) looksAgain = true;
  if (changed || Date.now() - fetchedAt > HISTORY_PAUSE) refreshIn(COALESCE);
  tick();
}

function setClock(now) {
  const at = Date.parse(now);
  if (at) clockAhead = at - Date.now();
}

// The document with the times and figures that an event brings.
function merged(status, times) {
  const components = { ...status.components };
  for (const [id, figures] of Object.entries(times.components)) {
    if (components[id]) components[id] = { ...components[id], ...figures };
  }
  return { ...status, checked_at: times.checked_at, components };
}

// The parts of a status document that need a new page when they change. Figures are changed in place.
function substance(status) {
  const components = Object.values(status.components).map((component) => [
    component.state, component.since, component.stale, component.checked_at === null,
    Object.keys(component.details ?? {}).filter((name) => component.details[name] !== null),
  ]);
  return JSON.stringify([
    status.state, status.message, status.note, status.notice, status.checked_at === null,
    status.open_incidents, status.maintenances, components,
  ]);
}

function announce(before, status) {
  const changes = Object.values(status.components)
    .filter((component) => component.state !== before.components[component.id]?.state)
    .map((component) => `${component.name} is ${component.state}.`);
  if (changes.length) say(announcer, changes.join(" "));
}

// The page

function showFigures() {
  setTime(document.querySelector("#overall .age"), last.checked_at);
  for (const component of Object.values(last.components)) {
    const row = document.getElementById(`component-${component.id}`);
    setTime(row?.querySelector(".age"), component.checked_at);
    if (component.finding !== undefined) showInsight(component);
  }
}

function showInsight(component) {
  const { id, details } = component;
  const latency = component.latency_ms === null ? "" : wordedLatency(component.latency_ms);
  const checked = document.querySelector(`[data-checked="${id}"] time`);
  sayAt(`[data-finding="${id}"]`, component.finding);
  sayAt(`[data-latency="${id}"]`, latency);
  if (checked && component.checked_at) showMoment(checked, component.checked_at);
  for (const [name, value] of Object.entries(details)) {
    const time = document.querySelector(`[data-figure="${id} ${name}"] time`);
    if (time) showMoment(time, value);
    else if (typeof value === "boolean") sayAt(`[data-figure="${id} ${name}"]`, value ? "Yes" : "No");
    else if (value !== null) sayAt(`[data-figure="${id} ${name}"]`, String(value));
  }
}

function showMoment(time, at) {
  setTime(time, at);
  say(time, wordedMoment(new Date(at)));
}

function setTime(time, at) {
  if (!time || at === null || time.dateTime === at) return;
  time.dateTime = at;
  time.title = wordedLocal(new Date(at));
}

// Another task of the service may have answered, with an older snapshot.
function disagrees() {
  return Object.values(last?.components ?? {}).some((component) => {
    const row = document.getElementById(`component-${component.id}`);
    return row && row.dataset.state !== component.state;
  });
}

function refreshIn(delay) {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, delay);
}

async function refresh() {
  if (document.hidden) return;
  if (refreshing) return refreshIn(FIRST_DELAY);
  refreshing = true;
  try {
    const answer = await fetch(location.href, { cache: "no-cache", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    if (answer.redirected) return location.reload(); // an operator's session has ended
    heardAt = fetchedAt = Date.now();
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (looksAgain && disagrees()) refreshIn(SECOND_LOOK);
    looksAgain = false;
  } catch {
    if (isLive) lose();
  } finally {
    refreshing = false;
  }
}

function show(fresh) {
  if (isOfAnotherRelease(fresh)) return location.reload();
  document.title = fresh.title;
  document.getElementById("icon").href = fresh.getElementById("icon").href;
  localize(fresh);
  for (const id of ["main", "made"]) morph(document.getElementById(id), fresh.getElementById(id));
  if (last) showFigures();
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
  const elements = page.head.querySelectorAll("script[src], link[rel=stylesheet]");
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
    if (node.getAttribute(name) !== value && name !== "open") node.setAttribute(name, value);
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
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}\u00a0min`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}\u00a0h`;
  return `${Math.floor(whole / 86_400)}\u00a0d`;
}

function wordedLatency(milliseconds) {
  return milliseconds < 999.5
    ? `${milliseconds.toFixed(0)}\u00a0ms`
    : `${(milliseconds / 1_000).toFixed(1)}\u00a0s`;
}

function wordedDay(at) {
  const [, day, month, year] = at.toUTCString().split(" ");
  return `${Number(day)} ${month} ${year}`;
}

function wordedMoment(at) {
  return `${wordedDay(at)}, ${at.toISOString().slice(11, 16)} UTC`;
}

function wordedLocal(at) {
  const words = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return `${words}, your time`;
}

function sayAt(selector, words) {
  const element = document.querySelector(selector);
  if (element) say(element, words);
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function localize(page) {
  for (const time of page.querySelectorAll("time")) {
    if (time.dateTime.includes("T")) time.title = wordedLocal(new Date(time.dateTime));
  }
  say(page.querySelector(".local"), "; tooltips show your local time");
}

// Tips: what a day of a bar, or a point of a chart, was like

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

function point(event) {
  const drawing = event.target.closest?.("[data-tips], [data-points]");
  tip.hidden = !drawing;
  if (!drawing) return;
  const box = drawing.getBoundingClientRect();
  const share = Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width));
  say(tip, drawing.dataset.tips ? dayAt(drawing, share) : sampleAt(drawing, share));
  const left = Math.min(event.clientX - tip.offsetWidth / 2, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left) + scrollX}px`;
  tip.style.top = `${box.top + scrollY - tip.offsetHeight - 6}px`;
}

function dayAt(bar, share) {
  const [, , width] = bar.getAttribute("viewBox").split(" ").map(Number);
  const position = Math.floor((share * width) / Number(bar.dataset.pitch));
  const start = new Date(Date.parse(bar.dataset.first) + position * 86_400_000);
  const words = JSON.parse(bar.dataset.tips)[position] ?? "Operational";
  const local = start.getTimezoneOffset()
    ? `\nThe day begins ${start.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}, your time`
    : "";
  return `${wordedDay(start)}\n${words}${local}`;
}

function sampleAt(chart, share) {
  const at = Number(chart.dataset.start) + share * (Number(chart.dataset.end) - Number(chart.dataset.start));
  const points = JSON.parse(chart.dataset.points).filter(([begin]) => begin <= at);
  const [begin, p50, p95] = points.at(-1) ?? JSON.parse(chart.dataset.points)[0];
  const begun = new Date(begin * 1_000);
  const local = begun.getTimezoneOffset() ? `\n${wordedLocal(begun)}` : "";
  return `${wordedMoment(begun)}${local}\np50 ${wordedLatency(p50)}, p95 ${wordedLatency(p95)}`;
}

addEventListener("pointermove", point);
addEventListener("pointerdown", point);
addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});

// Time

function tick() {
  const now = Date.now() + clockAhead;
  for (const time of main.querySelectorAll("time.age")) {
    say(time, `${wordedAge((now - Date.parse(time.dateTime)) / 1_000)} ago`);
  }
  if (!isLivePage) return;
  if (isLive && Date.now() - heardAt > SILENCE) lose(); // the stream is dead without an error
  const isOutOfDate = !isLive && !document.hidden && Date.now() - heardAt > OUT_OF_DATE;
  if (isOutOfDate && notice.hidden) {
    const since = wordedMoment(new Date(heardAt + clockAhead));
    say(notice, `No connection to the server since ${since}. This page may be out of date.`);
  }
  notice.hidden = !isOutOfDate;
}

localize(document);
if (isLivePage) {
  addEventListener("visibilitychange", () => {
    attempts = 0;
    if (document.hidden) disconnect();
    else {
      heardAt = Date.now();
      connect();
    }
  });
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => event.persisted && connect());
  setInterval(tick, 1_000);
  say(connection, "Connecting…");
  connect();
}
tick();
