// What the browser does by itself: keys, dialogs, theme and language, signals. No page has a script of its own: behaviour
// hangs on data-* attributes. Nothing here makes HTML from text.
"use strict";
const root = document.documentElement;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const seen = (element) => element.getClientRects().length > 0;
const remember = (name, value) => {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
};

// ---- theme, language, single keys: the visitor's taste, in cookies that the server reads
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
function switchTheme() {
  root.dataset.theme = dark() ? "light" : "dark";
  remember("handrail-theme", root.dataset.theme);
}

// ---- clicks
document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on("[data-theme-switch]")) switchTheme();
  const opener = on("[data-open]");
  if (opener) openDialog(opener.dataset.open);
  const closer = on("[data-close]");
  if (closer) closer.closest("dialog")?.close();
  const language = on("[data-language]");
  if (language) { remember("handrail-language", language.dataset.language); location.reload(); }
  const keys = on("[data-keys-switch]");
  if (keys) {
    const off = document.body.dataset.keys === "on";
    document.body.dataset.keys = off ? "off" : "on";
    keys.setAttribute("aria-pressed", String(!off));
    remember("handrail-keys-off", off ? "1" : "0");
  }
  const menu = on("[data-menu]");
  if (menu) menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
  for (const open of all("details[data-closes][open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submits]")) event.target.form?.requestSubmit();
});
// a form that changes something goes once: a second click or Enter while it is on its way is no second word
const sent = new WeakMap(); // form to when it may go again, for answers that leave the page where it is
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.submitter?.dataset.stays === "") return; // a download leaves the page where it is
  if (sent.get(form) > event.timeStamp) event.preventDefault();
  else sent.set(form, event.timeStamp + 4000);
});
addEventListener("pageshow", (event) => { if (event.persisted) for (const form of document.forms) sent.delete(form); });

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  for (const each of all("[data-copies]", dialog)) { // what the page says by now, which renewed itself since the dialog was made
    const now = document.getElementById(each.dataset.copies)?.textContent;
    if (now === undefined) continue;
    if (each.tagName === "INPUT") each.value = now; else each.textContent = now;
  }
  dialog.showModal();
  for (const each of all("[data-takes]", dialog)) { // what was typed on the page goes along
    const typed = document.getElementById(each.dataset.takes)?.value;
    if (typed && (!each.value || each.value === each.dataset.took)) each.value = each.dataset.took = typed;
  }
  if (id === "palette") { const text = paletteText(); text.value = ""; narrow(); text.focus(); }
}

// ---- palette
const paletteText = () => document.getElementById("palette-text");
const options = () => all("#palette-list > li").filter((each) => !each.hidden);
function narrow() {
  const wanted = paletteText().value.trim().toLocaleLowerCase();
  for (const each of all("#palette-list > li")) {
    each.hidden = wanted !== "" && !each.dataset.search && !each.textContent.toLocaleLowerCase().includes(wanted);
    if (each.dataset.search) {
      each.hidden = wanted === "";
      each.firstElementChild.href = `${each.dataset.search}?text=${encodeURIComponent(paletteText().value.trim())}`;
    }
  }
  choose(0);
  document.querySelector("[data-nothing]").hidden = options().length > 0;
}
function choose(at) {
  const shown = options();
  for (const each of all("#palette-list > li")) each.setAttribute("aria-selected", "false");
  const chosen = shown[Math.max(0, Math.min(shown.length - 1, at))];
  paletteText().setAttribute("aria-activedescendant", chosen ? chosen.id : "");
  if (!chosen) return;
  chosen.setAttribute("aria-selected", "true");
  chosen.scrollIntoView({ block: "nearest" });
}
document.addEventListener("input", (event) => { if (event.target.id === "palette-text") narrow(); });
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "palette-text") return;
  const at = options().findIndex((each) => each.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); choose(at + (event.key === "ArrowDown" ? 1 : -1)); }
  if (event.key === "Enter") { event.preventDefault(); options()[at]?.firstElementChild.click(); }
});

// ---- keys: the table comes from the server (console/keys.py); a key acts on the element that carries its name
const table = () => JSON.parse(document.getElementById("keys")?.dataset.table || "[]");
const places = () => Object.fromEntries(JSON.parse(document.getElementById("keys")?.dataset.go || "[]"));
const rows = () => all("[data-list] [data-row]").filter(seen);
const writing = (target) => target.closest?.("input:not([type=radio]):not([type=checkbox]):not([type=submit]), textarea, select, [contenteditable]");
let going = 0; // until when G waits for its second key
function move(by) {
  const list = rows();
  if (!list.length) return false;
  const now = list.findIndex((each) => each.contains(document.activeElement));
  const marked = list.findIndex((each) => each.hasAttribute("data-current"));
  const from = now >= 0 ? now : marked;
  const next = list[from < 0 ? 0 : Math.max(0, Math.min(list.length - 1, from + by))];
  for (const each of list) each.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  (next.matches("a, button") ? next : next.querySelector("a, button") || next).focus();
  return true;
}
const current = () => rows().find((each) => each.contains(document.activeElement)) || document.querySelector("[data-row][data-current]");
const does = {
  press: (name) => {
    const at = all(`[data-act="${name}"]`).find(seen);
    if (!at || at.disabled || at.getAttribute("aria-disabled") === "true") return false;
    at.click();
    return true;
  },
  focus: (name) => { const at = all(`[data-act="${name}"]`).find(seen); at?.focus(); return Boolean(at); },
  sheet: () => { openDialog("sheet"); return true; },
  palette: () => { openDialog("palette"); return true; },
  close: () => {
    const open = document.querySelector("details[data-closes][open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
    return Boolean(open); // a dialog closes by itself
  },
  next: () => move(1),
  previous: () => move(-1),
  open: () => { const at = current(); if (!at || document.activeElement.matches("a, button, summary, input")) return false; (at.matches("a") ? at : at.querySelector("a"))?.click(); return true; },
  select: () => { const box = current()?.querySelector("input[type=checkbox]"); if (!box) return false; box.click(); return true; },
};
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.metaKey && !event.ctrlKey || event.isComposing) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const held = event.ctrlKey ? `Control+${key}` : key;
  const single = !event.ctrlKey;
  if (single && key !== "Escape" && (writing(event.target) || document.body.dataset.keys === "off")) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog && single && key !== "Escape" && !dialog.querySelector("[data-act]")) return;
  if (single && going > event.timeStamp && key.length === 1) { // also a key that leads nowhere: after G none decides
    going = 0;
    const to = places()[key];
    event.preventDefault();
    if (to) location.assign(to);
    return;
  }
  if (single && key === "g") { going = event.timeStamp + 1500; return; }
  const mine = table().filter(([, keys]) => keys.some((each) => (each.length === 1 ? each.toLowerCase() : each) === held));
  mine.sort(([a], [b]) => /^(global|list)\./.test(a) - /^(global|list)\./.test(b));
  if (event.repeat && !mine.some(([, , what]) => what === "next" || what === "previous")) { // a key that is held is one word
    if (mine.length && single && key !== "Enter") event.preventDefault();
    return;
  }
  for (const [name, , what] of mine) if (does[what](name)) { event.preventDefault(); return; }
});

// ---- signals: one stream for all tabs of this browser; the tab that holds the lock listens and tells the others
const state = (word) => { // in words too, never by the colour of a dot alone
  for (const each of all("[data-live-state]")) {
    const text = word === "off" ? each.dataset.cut : each.dataset.on;
    each.dataset.liveState = word;
    if (each.textContent === text) continue;
    each.textContent = document.getElementById("announce").textContent = text;
  }
};
const later = new Map();
function heard(topic) {
  if (later.has(topic)) return;
  later.set(topic, setTimeout(() => {
    later.delete(topic);
    document.body.dispatchEvent(new CustomEvent(`live-${topic}`));
  }, document.hidden ? 2000 : 20));
}
let last = Number(document.body.dataset.since); // the ledger's row up to which this tab knows everything
const told = new Map(); // topic to its last row, in the tab that listens
const TOPICS = ["approvals", "interactions", "releases", "incidents", "alerts", "outcomes", "stops", "in_force", "people", "ledger", "notices"];
let pause = 3000; // before the stream is asked for again after an answer that was none
function listen(tell) {
  const stream = new EventSource(`/live?after=${last}`);
  const hear = (event) => {
    const row = Number(event.lastEventId) || 0;
    last = Math.max(last, row);
    if (event.type !== "message") { told.set(event.type, row); tell(event.type); }
  };
  for (const topic of ["message", ...TOPICS]) stream.addEventListener(topic, hear);
  stream.addEventListener("open", () => { pause = 3000; tell("+"); });
  stream.addEventListener("error", () => {
    tell("-");
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => listen(tell), pause); // a restart answered with an error; who is signed out is asked ever more rarely
    pause = Math.min(60000, pause * 2);
  });
}
function hearing(word) {
  if (word === "+" || word === "-") state(word === "+" ? "on" : "off");
  else { state("on"); heard(word); }
}
if (document.body.dataset.stream === "on") {
  if (navigator.locks && window.BroadcastChannel) {
    const channel = new BroadcastChannel("handrail-live");
    channel.onmessage = ({ data }) => {
      if (!data.startsWith("?")) hearing(data); // a new tab asks what it missed since its page was made
      else for (const [topic, row] of told) if (row > Number(data.slice(1))) channel.postMessage(topic);
    };
    navigator.locks.request("handrail-live", () => new Promise(() => {
      listen((word) => { hearing(word); channel.postMessage(word); });
    }));
    channel.postMessage(`?${last}`);
    state("on");
  } else listen(hearing);
}
// a part that could not be renewed asks again; one that was refused, or is gone, does not
for (const name of ["htmx:error", "htmx:response:error"]) document.addEventListener(name, (event) => {
  const part = event.target.closest?.("[data-live]");
  const status = event.detail?.ctx?.response?.status || 0;
  if (part && !(status >= 400 && status < 500 && status !== 429)) {
    setTimeout(() => { for (const topic of part.dataset.live.split(" ")) heard(topic); }, 3000);
  }
});

// ---- what a page says of time grows old by itself: parts that name the topic `minute` are told each minute while looked at
let renewed = Date.now();
function minute() {
  if (document.hidden || Date.now() - renewed < 59000) return;
  renewed = Date.now();
  heard("minute");
}
if (document.body.dataset.stream === "on") setInterval(minute, 5000);
document.addEventListener("visibilitychange", minute);

// ---- after a part renewed itself: keep the cursor where it was, and say how many are new
document.addEventListener("htmx:after:swap", () => {
  for (const each of all("[data-announce]")) {
    const text = each.dataset.announce;
    const place = document.getElementById("announce");
    if (text && place.textContent !== text) place.textContent = text;
  }
});

// ---- a dialog that the server opened (a form with mistakes) becomes one that holds the cursor
for (const each of all("dialog[open]")) { each.close(); openDialog(each.id); }
