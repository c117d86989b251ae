// SPDX-License-Identifier: Apache-2.0
// The course of a search as two charts over time: how far the worst open subproblem is from being
// closed, and how many are open.

const NAMESPACE = "http://www.w3.org/2000/svg";
const LEFT = 58;
const RIGHT = 14;
const TOP = 24;
const GAP = 46;
const BOTTOM = 24;

export class ProgressChart {
  constructor(container) {
    this.container = container;
    this.points = [];
    this.waiting = false;
    new ResizeObserver(() => this.later()).observe(container);
    this.later();
  }

  add(point) {
    this.points.push(point);
    this.later();
  }

  clear() {
    this.points = [];
    this.later();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const width = Math.max(this.container.clientWidth, 200);
    const height = Math.max(this.container.clientHeight, 160);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const room = (height - TOP - GAP - BOTTOM) / 2;
    const last = Math.max(...this.points.map((point) => point.seconds), 1);
    const across = { from: LEFT, to: width - RIGHT, last };
    const bounds = this.points.filter((point) => Number.isFinite(point.bound));
    const open = this.points.filter((point) => Number.isFinite(point.open));
    const upper = { top: TOP, bottom: TOP + room };
    const lower = { top: TOP + room + GAP, bottom: TOP + 2 * room + GAP };
    const boundScale = new SignedLogarithmic(bounds.map((point) => point.bound));
    const openScale = new Linear(open.map((point) => point.open));
    this.panel(svg, "Worst bound (logarithmic)", across, upper, boundScale);
    this.panel(svg, "Open subproblems, or cores to check", across, lower, openScale);
    this.phases(svg, across, upper.top, lower.bottom);
    zeroLine(svg, across, upper, boundScale);
    course(svg, "bound", across, upper, boundScale, bounds);
    course(svg, "open", across, lower, openScale, open);
    timeAxis(svg, across, lower.bottom);
    this.container.replaceChildren(svg);
  }

  panel(svg, title, across, down, scale) {
    svg.append(label(title, LEFT, down.top - 9, "start", "chart-title"));
    for (const value of scale.ticks()) {
      const y = place(value, scale, down);
      svg.append(shape("line", { class: "grid", x1: across.from, x2: across.to, y1: y, y2: y }));
      svg.append(label(short(value), across.from - 8, y + 4, "end"));
    }
  }

  phases(svg, across, top, bottom) {
    let before = null;
    let free = -Infinity;
    for (const point of this.points) {
      if (point.step === before) continue;
      const x = along(point.seconds, across);
      if (before !== null) svg.append(shape("line", { class: "phase", x1: x, x2: x, y1: top, y2: bottom }));
      before = point.step;
      // Names that would lie on each other are left out; the text above the chart has them too.
      const end = x + 4 + point.step.length * 6.6;
      if (point.step !== "start" && x >= free && end <= across.to) {
        svg.append(label(point.step, x + 4, bottom + GAP / 2 - 38, "start"));
        free = end + 6;
      }
    }
  }
}

function course(svg, name, across, down, scale, points) {
  if (!points.length) {
    const middle = (down.top + down.bottom) / 2;
    svg.append(label("no number yet", (across.from + across.to) / 2, middle + 4, "middle"));
    return;
  }
  const places = points.map((point) => [
    along(point.seconds, across),
    place(point[name], scale, down),
  ]);
  const steps = places.flatMap(([x, y], index) => (index ? [`H${x}`, `V${y}`] : [`M${x} ${y}`]));
  if (name === "open") {
    const ends = `V${down.bottom}H${places[0][0]}Z`;
    svg.append(shape("path", { class: "area-open", d: steps.join("") + ends }));
  }
  svg.append(shape("path", { class: `line line-${name}`, d: steps.join("") }));
  const [x, y] = places[places.length - 1];
  svg.append(shape("circle", { class: `dot-${name}`, cx: x, cy: y, r: 3.5 }));
}

function zeroLine(svg, across, down, scale) {
  const y = place(0, scale, down);
  svg.append(shape("line", { class: "zero", x1: across.from, x2: across.to, y1: y, y2: y }));
  svg.append(label("closed above 0", across.to, y - 5, "end", "zero-label"));
}

function timeAxis(svg, across, y) {
  for (const value of evenly(0, across.last)) {
    svg.append(label(`${short(value)} s`, along(value, across), y + 18, value ? "middle" : "start"));
  }
}

class Linear {
  constructor(values) {
    this.high = Math.max(1, ...values) * 1.12;
  }

  share(value) {
    return value / this.high;
  }

  ticks() {
    return evenly(0, this.high);
  }
}

// Bounds begin thousands below 0 and end thousandths below it, and 0 is what matters: so both sides
// of 0 are logarithmic, and what is near 0 is linear.
class SignedLogarithmic {
  constructor(values) {
    const sizes = values.map(Math.abs).filter((size) => size > 0);
    const largest = Math.max(...sizes, 1e-9);
    this.unit = sizes.length ? Math.max(Math.min(...sizes), largest * 1e-5) : 1;
    this.low = Math.min(...values.map((value) => this.stretched(value)), 0);
    this.high = Math.max(...values.map((value) => this.stretched(value)), 0);
    const room = (this.high - this.low || 1) * 0.16;
    this.high += room;
    if (this.low < 0) this.low -= room;
    else this.low = -3 * room;
  }

  stretched(value) {
    return Math.sign(value) * Math.log10(1 + Math.abs(value) / this.unit);
  }

  share(value) {
    return (this.stretched(value) - this.low) / (this.high - this.low);
  }

  ticks() {
    const first = Math.ceil(Math.log10(this.unit));
    const found = [0];
    for (const sign of [-1, 1]) {
      const reach = sign < 0 ? -this.low : this.high;
      const last = Math.floor(Math.log10((10 ** reach - 1) * this.unit || this.unit));
      const step = Math.max(1, Math.ceil((last - first + 1) / 2));
      for (let power = last; power >= first; power -= step) found.push(sign * 10 ** power);
    }
    return found;
  }
}

function evenly(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let value = low; value <= high + step * 1e-9; value += step) found.push(value);
  return found;
}

function along(seconds, across) {
  return round(across.from + (seconds / across.last) * (across.to - across.from));
}

function place(value, scale, down) {
  return round(down.bottom - scale.share(value) * (down.bottom - down.top));
}

function round(value) {
  return Math.round(value * 10) / 10;
}

export function short(value) {
  const text = Math.abs(value) >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

function shape(name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function label(text, x, y, anchor, name = "") {
  const element = shape("text", { x, y, "text-anchor": anchor, class: name });
  element.textContent = text;
  return element;
}
