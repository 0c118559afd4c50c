// Figures in words, the same as the server's (ingest/humane.py).

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const twoDigits = (value) => String(value).padStart(2, "0");

export const clamp = (value, min, max) => Math.min(max, Math.max(min, value));

export const count = (value) => value.toLocaleString("en");

// In powers of 1000: bytes and kB whole, from MB on with a tenth.
export function fileSize(bytes) {
  let value = bytes;
  let unit = 0;
  const digits = () => (unit < 2 ? 0 : 1);
  while (Number(value.toFixed(digits())) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const format = { minimumFractionDigits: digits(), maximumFractionDigits: digits() };
  return `${value.toLocaleString("en", format)} ${UNITS[unit]}`;
}

export function duration(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// A time in a film: 1:02:03.4, or 02:03.4 below an hour.
export function timecode(seconds) {
  const tenths = Math.floor(seconds * 10);
  const minutes = twoDigits(Math.floor(tenths / 600) % 60);
  const rest = `${minutes}:${twoDigits(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return tenths >= 36000 ? `${Math.floor(tenths / 36000)}:${rest}` : rest;
}
