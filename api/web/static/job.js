// SPDX-License-Identifier: Apache-2.0
// The page of a job: its numbers and its chart follow its events, and when its state changes the
// page fetches the rest.

import { say } from "/static/page.js";
import { ProgressChart, short } from "/static/chart.js";
import { follow } from "/static/events.js";
import { refresh } from "/static/live.js";

const STEPS = {
  start: "starting",
  search: "searching for a proof",
  minimize: "making cores minimal",
  deepen: "deepening cores for reuse",
  "write the certificate": "writing the certificate",
};

const TICK_MILLISECONDS = 500;
const place = document.querySelector("[data-job]");
const container = document.getElementById("chart");
const chart = container ? new ProgressChart(container) : null;
let wasUnfinished = place.dataset.unfinished === "1";
let begun = null;
let latest = null;

// Each command counts its seconds from its own start; the chart goes on from attempt to attempt.
function show(data, at) {
  const moment = new Date(at).getTime() / 1000;
  begun ??= moment - (data.seconds ?? 0);
  const seconds = Math.max(moment - begun, 0);
  latest = { seconds, heard: performance.now() };
  const step = data.title === "prove" || data.title === "reverify" ? data.step : data.title;
  for (const field of document.querySelectorAll("[data-number]")) {
    const value = field.dataset.number === "seconds" ? seconds : data[field.dataset.number];
    if (field.dataset.number === "bound" && !Number.isFinite(value)) field.textContent = "–";
    if (Number.isFinite(value)) field.textContent = written(field.dataset.number, value);
  }
  document.getElementById("step").textContent = STEPS[step] ?? step;
  chart.add({ seconds, step, bound: data.bound ?? NaN, open: data.open ?? NaN });
}

function written(name, value) {
  return name === "seconds" ? `${value.toFixed(1)} s` : short(value);
}

async function tell(type, data, at) {
  if (type === "progress" && chart) show(data, at);
  if (type === "state" && data.state === "running" && chart) {
    chart.clear();
    begun = null;
  }
  if (type !== "progress" && wasUnfinished) await refresh().catch(() => {});
}

// Between two reports the time goes on, by this machine's clock alone: the server's may differ.
setInterval(() => {
  const field = document.querySelector("[data-number=seconds]");
  if (!wasUnfinished || !latest || !field) return;
  field.textContent = written("seconds", latest.seconds + (performance.now() - latest.heard) / 1000);
}, TICK_MILLISECONDS);

follow(place.dataset.job, tell, async () => {
  const step = document.getElementById("step");
  if (step) step.textContent = "ended";
  if (wasUnfinished) {
    wasUnfinished = false;
    await refresh().catch(() => {});
    say(`The job has ended: ${document.querySelector(".verdict-word").textContent}`);
  }
  settle();
});

// Nothing is open where the property holds; the last report was made before that was known.
function settle() {
  const open = document.querySelector("[data-number=open]");
  if (open && document.getElementById("verdict").dataset.status === "holds") open.textContent = "0";
}
