// The axes around a chart: values at its sides, time below it. The numbers are text, not SVG.

import { element } from "./element.js";

/** Values at one side: the end of the scale, its half and zero. `colour`: that of its series, if only one. */
export class ValueAxis {
  constructor(side, colour = "") {
    this.node = element("div", `axis ${side} ${colour}`);
    this.node.setAttribute("aria-hidden", "true"); // the chart's label has the values
    this.ticks = [1, 0.5, 0].map((part) => ({ part, node: element("span") }));
    this.node.append(...this.ticks.map((tick) => tick.node));
  }

  show(end, unit) {
    for (const { part, node } of this.ticks) node.textContent = unit.write(end * part);
  }
}

/** Time below a chart, which ends now or, where the server is gone, at a time of day. */
export class TimeAxis {
  constructor(seconds) {
    this.node = element("div", "axis time");
    this.node.setAttribute("aria-hidden", "true");
    this.last = element("span", "", "now");
    this.node.append(element("span", "", `-${seconds / 60} min`), element("span", "", `-${seconds / 120} min`), this.last);
  }

  endAt(text) {
    this.last.textContent = text;
  }
}
