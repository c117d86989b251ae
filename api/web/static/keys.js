// SPDX-License-Identifier: Apache-2.0
// Making a key; its secret is shown once.

import { say } from "/static/page.js";
import { ask } from "/static/server.js";
import { refresh } from "/static/live.js";

const DAY_MILLISECONDS = 86400 * 1000;
const form = document.getElementById("make-key");
const error = (name) => document.getElementById(`${name}-error`);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(form);
  const name = given.get("name").trim();
  const scopes = given.getAll("scopes");
  const days = Number(given.get("days"));
  error("name").textContent = name ? "" : "say what it is for";
  error("scopes").textContent = scopes.length ? "" : "choose what it may do";
  form.elements.name.setAttribute("aria-invalid", String(!name));
  if (!name || !scopes.length) {
    (name ? form.querySelector("[name=scopes]") : form.elements.name).focus();
    return;
  }
  const ends = days > 0 ? new Date(Date.now() + days * DAY_MILLISECONDS).toISOString() : null;
  try {
    const made = await ask("POST", "/v1/keys", { name, scopes, expires_at: ends });
    show(made.key);
    form.reset();
    await refresh();
  } catch (problem) {
    error("name").textContent = problem.message;
  }
});

function show(key) {
  const notice = document.getElementById("made-template").content.cloneNode(true);
  notice.querySelector("code").textContent = key;
  notice.querySelector("[data-copy]").dataset.copy = key;
  document.getElementById("made").replaceChildren(notice);
  say("The key is made; copy it now");
}
