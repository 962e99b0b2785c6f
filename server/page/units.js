// The units of the charts: how a value is written, and where its scale ends.
//
// `least` is the lowest end of a scale, so that a small change does not fill a chart; `end` is an end
// that never moves; `base` is the number of which the ends are powers, times 1, 2, 4, 6 or 8.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

export const bytes = { write: (value) => scaled(value, 1024, BYTES), least: 1024, base: 1024 };
export const seconds = { write: (value) => (value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`), least: 0.01 };
export const perSecond = { write: (value) => `${digits(value)}/s`, least: 10 };
export const percent = { write: (value) => `${digits(value * 100)} %`, end: 1 };
export const watts = { write: (value) => `${digits(value)} W`, least: 10 };
export const requests = { write: digits, least: 4 }; // its half is whole too
export const tokens = { write: digits, least: 4 };

/** Three digits or so. */
export function digits(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

/** The end of a scale from zero that holds `peak`: a round number, as is its half. */
export function endOfScale(peak, { end, least, base = 10 }) {
  if (end) return end;
  const wanted = Math.max(peak, least);
  if (base === 1024) return 2 ** Math.ceil(Math.log2(wanted));
  const power = 10 ** Math.floor(Math.log10(wanted) + 1e-9);
  return power * [1, 2, 4, 6, 8, 10].find((times) => wanted <= times * power * (1 + 1e-9));
}

function scaled(value, base, names) {
  const power = Math.min(Math.floor(Math.log(Math.max(value, 1)) / Math.log(base)), names.length - 1);
  return `${digits(value / base ** power)} ${names[power]}`;
}
