// One key for what is next: an element with data-key is pressed by its letter, unless somebody writes. A box with
// data-ticks ticks all boxes of that name.
"use strict";

function writes(target) {
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || writes(event.target)) return;
  const found = /^[a-z]$/.test(event.key) && document.querySelector(`[data-key="${event.key}"]`);
  if (found) {
    event.preventDefault();
    found.click();
  }
});

document.querySelectorAll("input[data-ticks]").forEach((all) => {
  all.addEventListener("change", () => {
    document.querySelectorAll(`input[name="${all.dataset.ticks}"]`).forEach((one) => { one.checked = all.checked; });
  });
});
