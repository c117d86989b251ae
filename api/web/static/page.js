// SPDX-License-Identifier: Apache-2.0
// What works on every page: relative times, copying, and buttons that ask the server for something.

import { ask } from "/static/server.js";
import { refresh } from "/static/live.js";

const SAID_MILLISECONDS = 1500;

export function say(text) {
  document.getElementById("said").textContent = text;
}

function relative(moment) {
  const passed = (Date.now() - moment.getTime()) / 1000;
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.round(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86400) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86400)} d ago`;
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = relative(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

async function copy(button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    button.textContent = "Cannot";
    say("The browser does not allow copying; select the text instead");
  }
  setTimeout(() => { button.textContent = before; }, SAID_MILLISECONDS);
}

// What buttons do, by the data attribute that they have.
const DEEDS = {
  copy,
  async cancel(button) {
    await ask("DELETE", `/v1/jobs/${button.dataset.cancel}`);
    say("Asked for its end");
    await refresh();
  },
  async again(button) {
    const job = await ask("POST", "/v1/jobs", JSON.parse(button.dataset.again));
    location.assign(`/jobs/${job.id}`);
  },
  async remove(button) {
    if (!confirm(`Remove ${button.dataset.name}? Results that were made with it stay.`)) return;
    await ask("DELETE", button.dataset.remove);
    const row = button.closest("[data-row]");
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[data-remove]") ?? document.getElementById("main")).focus();
    say(`${button.dataset.name} is removed`);
  },
  async revoke(button) {
    if (!confirm(`Revoke the key for ${button.dataset.name}? Whoever uses it is locked out.`)) return;
    await ask("DELETE", `/v1/keys/${button.dataset.revoke}`);
    say(`The key for ${button.dataset.name} is revoked`);
    await refresh();
  },
  async compare(button) {
    await ask("POST", "/v1/jobs", JSON.parse(button.dataset.compare));
    await refresh();
    document.dispatchEvent(new Event("begun"));
  },
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button");
  const deed = Object.keys(DEEDS).find((name) => button?.dataset[name] !== undefined);
  if (!deed || button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await DEEDS[deed](button);
  } catch (problem) {
    explain(button, problem);
  } finally {
    button.removeAttribute("aria-busy");
  }
});

// Shows what went wrong beside what was pressed.
function explain(button, problem) {
  const place = button.closest("td, .actions, section, form") ?? button.parentElement;
  let text = place.querySelector(":scope > .error[data-told]");
  if (!text) {
    text = document.createElement("p");
    text.className = "error";
    text.dataset.told = "";
    text.setAttribute("role", "alert");
    place.append(text);
  }
  text.textContent = problem.message;
}

tellTimes();
setInterval(tellTimes, 1000);
document.addEventListener("refreshed", tellTimes);
