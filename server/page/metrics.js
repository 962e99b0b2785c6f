// Reads Prometheus' text format and computes changes between two scrapes. Knows no metric by name.

const LINE = /^([^\s{]+)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** All samples of one scrape. `at` is its time in seconds, of any clock. */
export class Scrape {
  constructor(text, at) {
    this.at = at;
    this.samples = new Map();
    for (const line of text.split("\n")) {
      const match = line.startsWith("#") ? null : LINE.exec(line);
      if (match) this.#add(match[1], match[2] ?? "", Number(match[3].replace("Inf", "Infinity")));
    }
  }

  #add(name, labelText, value) {
    const labels = {};
    for (const [, key, quoted] of labelText.matchAll(LABEL))
      labels[key] = quoted.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    if (!this.samples.has(name)) this.samples.set(name, []);
    this.samples.get(name).push({ labels, value });
  }

  /** The samples of a metric that have the wanted labels. */
  all(name, wanted = {}) {
    const has = (labels) => Object.entries(wanted).every(([key, value]) => labels[key] === value);
    return (this.samples.get(name) ?? []).filter((sample) => has(sample.labels));
  }

  /** Their sum; NaN if there is none. */
  sum(name, wanted) {
    const found = this.all(name, wanted);
    return found.length ? found.reduce((total, sample) => total + sample.value, 0) : NaN;
  }
}

/** What counters and histograms did from one scrape to a later one. */
export class Span {
  constructor(before, after) {
    this.before = before;
    this.after = after;
    this.seconds = after.at - before.at;
  }

  /** Growth of a counter; one that fell was restarted from zero. */
  growth(name, wanted) {
    const [from, to] = [this.before.sum(name, wanted), this.after.sum(name, wanted)];
    return to < from ? to : to - from;
  }

  /** Growth per second. */
  rate(name, wanted) {
    return this.growth(name, wanted) / this.seconds;
  }

  /** Mean of what a histogram observed. */
  mean(name) {
    return this.growth(`${name}_sum`) / this.growth(`${name}_count`);
  }

  /** Quantile of what a histogram observed, linear within a bucket, as Prometheus computes it. */
  quantile(q, name) {
    const bounds = [...new Set(this.after.all(`${name}_bucket`).map((sample) => sample.labels.le))];
    const buckets = bounds
      .map((le) => ({ le: Number(le.replace("+Inf", "Infinity")), count: this.growth(`${name}_bucket`, { le }) }))
      .sort((a, b) => a.le - b.le);
    const rank = q * (buckets.at(-1)?.count ?? 0);
    const at = rank > 0 ? buckets.findIndex((bucket) => bucket.count >= rank) : -1;
    if (at < 0) return NaN;
    const [low, below] = at ? [buckets[at - 1].le, buckets[at - 1].count] : [0, 0];
    if (buckets[at].le === Infinity) return low;
    return low + ((buckets[at].le - low) * (rank - below)) / (buckets[at].count - below);
  }
}
