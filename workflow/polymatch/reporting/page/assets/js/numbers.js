// How numbers are written.

export const fixed = (value, digits = 1) => (value === null || value === undefined ? "–" : value.toFixed(digits));

/** About three significant digits, without an exponent where that is readable. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value >= 1000 ? `${short(value / 1000)} s` : `${short(value)} ms`;
}

export const megabytes = (value) => (value === null || value === undefined ? "–" : `${short(value)} MB`);

export function probability(p) {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

export const interval = (lo, hi, digits = 1) => (lo === null || lo === undefined ? "" : `[${fixed(lo, digits)}, ${fixed(hi, digits)}]`);

export const signed = (value, digits = 1) => (value === null || value === undefined ? "–" : `${value > 0 ? "+" : ""}${value.toFixed(digits).replace("-", "−")}`);

/** An expected rank, which is no whole number among ties or over seeds. */
export const rankText = (rank) => (Number.isInteger(rank) ? String(rank) : `~${Number(rank.toPrecision(3))}`);
