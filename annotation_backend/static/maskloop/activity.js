// Tells the history that the page's person works on it: every 30 s while the page is in sight and something was pressed,
// moved or scrolled within the last 60 s; and once when that ends. Nothing of what was pressed is sent.
"use strict";

const EVERY = 30_000;
const IDLE_AFTER = 60_000;
const INPUTS = ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchstart"];

function watch(form) {
  let seen = Date.now();
  let isActive = false;

  function send(sign) {
    const body = new FormData(form);
    body.set("sign", sign);
    fetch(form.dataset.activity, { method: "POST", body, keepalive: true, credentials: "same-origin" }).catch(() => {});
  }

  function look() {
    const works = document.visibilityState === "visible" && Date.now() - seen < IDLE_AFTER;
    if (works || isActive) {
      send(works ? "active" : "idle");
    }
    isActive = works;
  }

  INPUTS.forEach((name) => document.addEventListener(name, () => { seen = Date.now(); }, { passive: true, capture: true }));
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => { if (isActive) { send("idle"); isActive = false; } });
  window.setInterval(look, EVERY);
  look();
}

document.querySelectorAll("form[data-activity]").forEach(watch);
