// Every action of the page by one key; the page's buttons name the same keys.

/** Listens for keys; `actions` maps a key to what it does. Fields that take text keep their keys. */
export function listen(actions, canvas) {
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || takesText(event.target) || document.querySelector("dialog[open]")) return;
    const action = actions[event.key];
    const ownKeys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", " ", "Enter", "Home", "End", "PageUp", "PageDown"];
    if (action && !(ownKeys.includes(event.key) && usesArrows(event.target))) {
      event.preventDefault();
      action();
    }
    if (event.target === canvas) event.stopImmediatePropagation();
  }, true);
  window.addEventListener("keyup", (event) => { if (event.target === canvas) event.stopImmediatePropagation(); }, true);
}

function takesText(element) {
  const kind = element.type || "";
  return element.tagName === "TEXTAREA" || element.tagName === "SELECT"
    || (element.tagName === "INPUT" && !["radio", "checkbox", "range", "button", "submit"].includes(kind));
}

function usesArrows(element) {
  return element.tagName === "INPUT" || element.tagName === "BUTTON" || element.tagName === "A" || element.tagName === "SUMMARY"
    || element.getAttribute("role") === "slider";
}
