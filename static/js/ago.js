// Turns the minute of each <time> into "2 min ago" and keeps it as the title; again as time passes and
// as parts of the page arrive.
import { ago } from "./lib/ago.js";

const EVERY_MS = 30_000;

function show(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title ||= time.textContent;
    time.textContent = ago(Date.parse(time.dateTime), Date.now()) ?? time.title;
  }
}

show(document);
setInterval(() => show(document), EVERY_MS);
document.body.addEventListener("htmx:load", (event) =>
  show(event.target.parentElement ?? document),
);
