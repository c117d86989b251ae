// SPDX-License-Identifier: Apache-2.0
// Submitting a verification: files are uploaded as soon as they are chosen, so that what is wrong
// with one is said beside it and at once.

import { say } from "/static/page.js";
import { FileList } from "/static/chosen.js";
import { Compressions } from "/static/compressions.js";
import { ask } from "/static/server.js";

const form = document.getElementById("new");
const most = Number(form.dataset.mostBytes);
const plan = document.getElementById("plan");
const submitError = document.getElementById("submit-error");

const compressions = new Compressions(changed);
const original = new FileList("original", "models", { isSingle: true, most, changed });
const variants = new FileList("variants", "models", { isSingle: false, most, changed });
const properties = new FileList("properties", "properties", { isSingle: false, most, changed });
const lists = [original, variants, properties];
for (const list of lists) list.begin();

function changed() {
  submitError.textContent = "";
  for (const list of lists) list.explain(misfit(list));
  plan.textContent = planned();
}

function planned() {
  if (lists.some((list) => list.isBusy)) return "Files are being read…";
  const [first] = original.ready;
  const asked = properties.ready.length;
  if (!first || !asked) {
    return `Choose ${[first ? "" : "an original", asked ? "" : "a property"].filter(Boolean).join(" and ")}.`;
  }
  const networks = 1 + variants.ready.length + compressions.count;
  const count = networks * asked;
  return `${networks} network${plural(networks)} × ${asked} propert${asked === 1 ? "y" : "ies"}: ${count} verification${plural(count)}`;
}

function plural(count) {
  return count === 1 ? "" : "s";
}

// What does not fit the original, in words; nothing where all fits.
function misfit(list) {
  const [first] = original.ready;
  if (!first || list === original) return "";
  for (const file of list.ready) {
    for (const side of ["inputs", "outputs"]) {
      const [has, wants] = [file.summary[side], first.summary[side]];
      if (has !== undefined && wants !== undefined && has !== wants) {
        return `${file.name} has ${has} ${side}, the original has ${wants}`;
      }
    }
  }
  return "";
}

// Says what is missing, and returns the first place to mend it.
function wrong() {
  const found = [];
  const check = (list, text) => {
    list.explain(text);
    if (text) found.push(list.input);
  };
  const unread = (list) => (list.isBusy ? "a file is still being read" : list.wrong);
  check(original, unread(original) || (original.ready.length ? "" : "choose the original network"));
  check(variants, unread(variants) || misfit(variants));
  check(properties, unread(properties) || (properties.ready.length ? misfit(properties) : "choose at least one property"));
  const limit = document.getElementById("timeout");
  const text = limit.validity.valid ? "" : limit.validationMessage;
  document.getElementById("timeout-error").textContent = text;
  limit.setAttribute("aria-invalid", String(Boolean(text)));
  if (text) found.push(limit);
  return found[0];
}

function request() {
  const limit = document.getElementById("timeout").value;
  const hashes = (list) => list.ready.map((file) => file.sha256);
  const [first] = hashes(original);
  const asked = hashes(properties);
  const shared = { properties: asked, timeout_seconds: limit ? Number(limit) : null };
  const others = hashes(variants).filter((sha256) => sha256 !== first);
  if (!others.length && !compressions.count) return { kind: "prove", model: first, ...shared };
  const network = { original: first, variants: others, compressions: compressions.chosen };
  return { kind: "batch", networks: [network], ...shared };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const place = wrong();
  if (place) {
    place.focus();
    say("Something is missing; see the marked field");
    return;
  }
  const button = document.getElementById("submit");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    const job = await ask("POST", "/v1/jobs", request());
    location.assign(job.kind === "batch" ? `/batches/${job.id}` : `/jobs/${job.id}`);
  } catch (problem) {
    submitError.textContent = problem.message;
    button.removeAttribute("aria-busy");
  }
});
