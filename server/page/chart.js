// One card: a title, lines over the last minutes, and the present values as text. Plain SVG.

export const NUM_POINTS = 120;
const [WIDTH, HEIGHT] = [300, 60];
const SVG = "http://www.w3.org/2000/svg";

/** Makes an element with a class and a text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** A chart of up to four series. `format` writes a value with its unit. */
export class Chart {
  #series = new Map(); // name -> {values, line, area, shown}

  constructor(title, format) {
    this.title = title;
    this.format = format;
    this.figure = element("figure", "card");
    this.figure.setAttribute("aria-label", title);
    const caption = element("figcaption", "", title);
    this.peak = element("span", "peak");
    caption.append(this.peak);
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.legend = element("dl");
    this.note = element("p", "note");
    this.figure.append(caption, this.svg, this.legend, this.note);
  }

  /** Appends one value to each named series (NaN: none now) and draws. */
  push(values, note = "") {
    for (const name of Object.keys(values)) if (!this.#series.has(name)) this.#add(name);
    for (const [name, series] of this.#series) {
      series.values.push(values[name] ?? NaN);
      if (series.values.length > NUM_POINTS) series.values.shift();
    }
    this.figure.classList.toggle("bare", !this.#series.size);
    this.note.textContent = note;
    this.#draw();
  }

  #add(name) {
    const colour = `s${this.#series.size % 4}`;
    const [line, area] = ["line", "area"].map((kind) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", `${kind} ${colour}`);
      return path;
    });
    this.svg.append(area, line);
    const [row, shown] = [element("div", colour), element("dd")];
    row.append(element("dt", "", name), shown);
    this.legend.append(row);
    this.#series.set(name, { values: [], line, area, shown });
  }

  #draw() {
    const finite = [...this.#series.values()].flatMap((series) => series.values).filter(Number.isFinite);
    const most = Math.max(0, ...finite);
    this.peak.textContent = most > 0 ? `peak ${this.format(most)}` : "";
    const spoken = [];
    for (const [name, { values, line, area, shown }] of this.#series) {
      const [path, filled] = paths(values, most || 1);
      line.setAttribute("d", path);
      area.setAttribute("d", filled);
      shown.textContent = Number.isFinite(values.at(-1)) ? this.format(values.at(-1)) : "–";
      spoken.push(`${name} ${shown.textContent}`);
    }
    this.svg.setAttribute("aria-label", `${this.title}: ${spoken.join(", ") || "no data"}`);
  }
}

/** The line and the area beneath it, with gaps where there is no value; the newest at the right. */
function paths(values, most) {
  const runs = [];
  let run = null;
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) run = null;
    else {
      if (!run) runs.push((run = []));
      const x = WIDTH - ((values.length - 1 - index) * WIDTH) / (NUM_POINTS - 1);
      run.push([x.toFixed(1), (HEIGHT - 2 - (value / most) * (HEIGHT - 6)).toFixed(1)]);
    }
  });
  const line = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x} ${y}`).join("");
  const area = (points) => `${line(points)}L${points.at(-1)[0]} ${HEIGHT}L${points[0][0]} ${HEIGHT}Z`;
  return [runs.map(line).join(""), runs.map(area).join("")];
}
