// Follows a training: while the part of the page that tells of it says that one runs, that part is loaded anew every few
// seconds. Nothing of it is read to people who listen, and what has the keyboard's focus is not replaced under it.
"use strict";

const EVERY = 5_000;

async function follow() {
  const shown = document.getElementById("going");
  if (!shown || !("running" in shown.dataset)) { return; }
  if (document.visibilityState === "visible" && !shown.contains(document.activeElement)) {
    try {
      const answer = await fetch(window.location.href, { credentials: "same-origin", cache: "no-store" });
      const loaded = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("going");
      if (answer.ok && loaded) { shown.replaceWith(loaded); }
    } catch { /* the service is restarted, perhaps: the next time */ }
  }
  window.setTimeout(follow, EVERY);
}

window.setTimeout(follow, EVERY);
