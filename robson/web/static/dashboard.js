// The page works without this. With it, events appear as they happen and the tables follow every two seconds.
"use strict";

const LINES_MAX = 200;
const now = document.getElementById("now");
const lines = document.getElementById("lines");
const lost = document.getElementById("lost");
let isLooking = false;

// The daemon renders; here only what changed is put in its place, and whoever reads keeps their place.
async function look() {
  if (isLooking || document.hidden) return;
  isLooking = true;
  try {
    const reply = await fetch("/now", { cache: "no-store" });
    if (!reply.ok) throw new Error(reply.statusText);
    const text = await reply.text();
    const held = document.activeElement;
    const address = held && now.contains(held) ? held.getAttribute("href") : null;
    const region = held && now.contains(held) ? held.getAttribute("aria-labelledby") : null;
    const scrolled = Array.from(now.querySelectorAll(".wide"), (each) => each.scrollLeft);
    replace(text);
    now.querySelectorAll(".wide").forEach((each, n) => { each.scrollLeft = scrolled[n] || 0; });
    if (address) now.querySelector(`a[href="${CSS.escape(address)}"]`)?.focus();
    else if (region) now.querySelector(`.wide[aria-labelledby="${CSS.escape(region)}"]`)?.focus();
    lost.textContent = "";
  } catch {
    lost.textContent = "The connection to Robson is lost; what you see is old. Trying again.";
  } finally {
    isLooking = false;
  }
}

// A screen reader hears a warning when it comes, not every two seconds.
function replace(text) {
  const made = new DOMParser().parseFromString(text, "text/html").body;
  const old = now.querySelector(".warnings");
  const fresh = made.querySelector(".warnings");
  if (old && fresh && old.textContent === fresh.textContent) fresh.replaceWith(old);
  now.replaceChildren(...made.childNodes);
}

const stream = new EventSource(`/live?from=${lines.dataset.next}`);
stream.addEventListener("line", (message) => {
  const item = document.createElement("li");
  item.textContent = message.data;
  lines.prepend(item);
  while (lines.childElementCount > LINES_MAX) lines.lastElementChild.remove();
});
stream.addEventListener("look", look);
stream.addEventListener("open", look);
stream.addEventListener("error", () => {
  // Too many dashboards are open, so that there is no stream for this one: the tables follow all the same.
  if (stream.readyState === EventSource.CLOSED) setInterval(look, 2000);
  else lost.textContent = "The connection to Robson is lost; what you see is old. Trying again.";
});
document.addEventListener("visibilitychange", look);
