// A moment as people say it: "2 min ago", "3 h ago", "yesterday".

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;
const DATE_AFTER_DAYS = 30;

// `then` and `now` in milliseconds; null where the date says it better.
export function ago(then, now) {
  const seconds = Math.max(0, (now - then) / 1000); // a server's clock may run ahead of the browser's
  if (seconds < MINUTE_S) return "just now";
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ago`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)} h ago`;
  const days = Math.floor(seconds / DAY_S);
  if (days >= DATE_AFTER_DAYS) return null;
  return days === 1 ? "yesterday" : `${days} days ago`;
}
