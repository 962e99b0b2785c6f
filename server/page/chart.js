// One card: a title, lines over the last minutes with their axes, and the present values as text.

import { TimeAxis, ValueAxis } from "./axes.js";
import { drawn, element } from "./element.js";
import { endOfScale } from "./units.js";

export const SPAN_SECONDS = 120;
const GAP_SECONDS = 5; // values further apart are not joined by a line
const [WIDTH, HEIGHT] = [300, 60];

/** What each series is, where its name is short. */
const MEANINGS = { p99: "99th percentile: 99 of 100 were at most this" };

/** A chart of up to four series in one unit. `apart`: the two series have a scale each, left and right. */
export class Chart {
  #series = new Map(); // name -> {points, line, area, shown}

  constructor(title, unit, { apart = false } = {}) {
    [this.title, this.unit, this.apart] = [title, unit, apart];
    this.figure = element("figure", "card");
    this.figure.setAttribute("aria-label", title);
    const caption = element("figcaption", "", title);
    this.peak = element("span", "peak");
    caption.append(this.peak);
    this.axes = apart ? [new ValueAxis("left", "s0"), new ValueAxis("right", "s1")] : [new ValueAxis("left")];
    this.time = new TimeAxis(SPAN_SECONDS);
    this.svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.svg.append(drawn("path", { class: "grid", d: grid() }));
    const plot = element("div", "plot");
    plot.append(this.svg, this.time.node, ...this.axes.map((axis) => axis.node));
    this.legend = element("dl");
    this.note = element("p", "note");
    this.figure.append(caption, plot, this.legend, this.note);
  }

  /** Appends one value at `at` (seconds) to each named series (NaN: none now) and draws. */
  push(at, values, note = "") {
    for (const name of Object.keys(values)) if (!this.#series.has(name)) this.#add(name);
    for (const [name, series] of this.#series) {
      series.points.push({ at, value: values[name] ?? NaN });
      while (at - series.points[0].at > SPAN_SECONDS) series.points.shift();
    }
    this.figure.classList.toggle("bare", !this.#series.size);
    this.note.textContent = note;
    this.#draw(at);
  }

  /** Marks the values as old, since the time of day `since`; an empty text: as current. */
  markStale(since) {
    this.figure.classList.toggle("stale", Boolean(since));
    if (since) this.peak.textContent = "stale";
    this.time.endAt(since || "now");
  }

  #add(name) {
    const colour = `s${this.#series.size % 4}`;
    const [line, area] = ["line", "area"].map((kind) => drawn("path", { class: `${kind} ${colour}` }));
    this.svg.append(area, line);
    const [row, term, shown] = [element("div", colour), element("dt", "", name), element("dd")];
    if (MEANINGS[name]) term.title = MEANINGS[name];
    row.append(term, shown);
    this.legend.append(row);
    this.#series.set(name, { points: [], line, area, shown });
  }

  #draw(now) {
    const peaks = [...this.#series].map(([name, { points }]) => ({ name, value: peakOf(points) }));
    const highest = peaks.reduce((high, peak) => (peak.value > high.value ? peak : high), { value: 0 });
    this.peak.textContent = highest.value > 0 ? `peak ${highest.name} ${this.unit.write(highest.value)}` : "";
    const ends = peaks.map((peak) => endOfScale((this.apart ? peak : highest).value, this.unit));
    this.axes.forEach((axis, index) => ends.length > index && axis.show(ends[index], this.unit));
    const spoken = [...this.#series].map(([name, series], index) => `${name} ${this.#trace(series, ends[index], now)}`);
    this.svg.setAttribute("aria-label", `${this.title}: ${spoken.join(", ") || "no data"}`);
  }

  /** Draws one series and returns its present value as text. */
  #trace({ points, line, area, shown }, end, now) {
    const [path, filled] = paths(points, end, now);
    line.setAttribute("d", path);
    area.setAttribute("d", filled);
    const { value } = points.at(-1);
    return (shown.textContent = Number.isFinite(value) ? this.unit.write(value) : "–");
  }
}

function peakOf(points) {
  return Math.max(0, ...points.map((point) => point.value).filter(Number.isFinite));
}

function grid() {
  const [middle, half] = [HEIGHT / 2, WIDTH / 2];
  return `M0 0H${WIDTH}M0 ${middle}H${WIDTH}M0 ${HEIGHT}H${WIDTH}M${half} 0V${HEIGHT}`;
}

/** The line and the area beneath it, with gaps where there is no value; now is at the right. */
function paths(points, end, now) {
  const runs = [];
  let last = null;
  for (const { at, value } of points) {
    if (Number.isFinite(value)) {
      if (last === null || at - last > GAP_SECONDS) runs.push([]);
      const x = WIDTH * (1 - (now - at) / SPAN_SECONDS);
      runs.at(-1).push([x.toFixed(1), (HEIGHT * (1 - value / end)).toFixed(1)]);
    }
    last = Number.isFinite(value) ? at : null;
  }
  const line = (run) => run.map(([x, y], index) => `${index ? "L" : "M"}${x} ${y}`).join("");
  const area = (run) => `${line(run)}L${run.at(-1)[0]} ${HEIGHT}L${run[0][0]} ${HEIGHT}Z`;
  return [runs.map(line).join(""), runs.map(area).join("")];
}
