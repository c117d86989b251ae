// SPDX-License-Identifier: Apache-2.0
// Parts of a page that follow what happens. The page is fetched again, and the parts that are
// marked `data-live` are put in place of the old ones where they differ; so what is shown is made in
// one place, the server.

const FAST_MILLISECONDS = 1000;
const SLOW_MILLISECONDS = 10000;

let running = null;

// Fetches the page and renews its live parts. Calls that come meanwhile wait for one more fetch.
export function refresh() {
  if (running) {
    running.again ??= running.now.then(() => start());
    return running.again;
  }
  return start();
}

function start() {
  const state = { again: null, now: null };
  running = state;
  state.now = renew().finally(() => { if (running === state) running = null; });
  return state.now;
}

async function renew() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
    location.assign(answer.url);
    return;
  }
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const part = fresh.getElementById(old.id);
    if (part) put(part, old);
  }
  document.title = fresh.title;
  document.dispatchEvent(new Event("refreshed"));
}

function put(part, old) {
  if (text(part) === old.dataset.text) return;
  const focused = old.contains(document.activeElement) ? marked(document.activeElement) : null;
  for (const name of part.getAttributeNames()) old.setAttribute(name, part.getAttribute(name));
  old.dataset.text = text(part);
  old.replaceChildren(...part.childNodes);
  if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
}

// What a part shows, its relative times aside: those change by themselves.
function text(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = "";
  delete copy.dataset.text;
  return copy.outerHTML;
}

function marked(element) {
  const href = element.getAttribute("href");
  if (href) return `${element.localName}[href="${CSS.escape(href)}"]`;
  return element.id ? `#${CSS.escape(element.id)}` : null;
}

// Renews the page again and again: often while something is going on, seldom otherwise.
export function watch() {
  const isBusy = () => document.querySelector('[data-busy="1"]') !== null;
  let timer = null;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(look, isBusy() ? FAST_MILLISECONDS : SLOW_MILLISECONDS);
  };
  const look = async () => {
    if (!document.hidden) await refresh().catch(() => {});
    later();
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  document.addEventListener("begun", later);
  later();
}

for (const part of document.querySelectorAll("[data-live]")) part.dataset.text = text(part);
