// One stage for two images, one brought onto the other: a curtain or a fade between them, tiles, or edges; slice by slice. Works by keyboard:
// the arrow keys move whichever slider has the focus.
"use strict";

function compare(section) {
  const slice = section.querySelector("#slice");
  const share = section.querySelector("#share");
  const images = {};
  section.querySelectorAll("img[data-kind]").forEach((image) => { images[image.dataset.kind] = image; });

  function mode() {
    return section.querySelector("input[name=mode]:checked").value;
  }

  function shown() {
    return { curtain: ["fixed", "moving"], fade: ["fixed", "moving"] }[mode()] || [mode()];
  }

  function load() {
    section.querySelector("output[for=slice]").textContent = slice.value;
    shown().forEach((kind) => {
      const image = images[kind];
      const source = image.getAttribute("src").replace(/\d+\.png/, `${slice.value}.png`);
      if (image.getAttribute("src") !== source) {
        image.setAttribute("src", source);
        image.alt = image.alt.replace(/\d+$/, slice.value);
      }
    });
  }

  function draw() {
    const blends = shown().length === 2;
    Object.entries(images).forEach(([kind, image]) => { image.closest("figure").hidden = !shown().includes(kind); });
    section.querySelector(".compare-share").hidden = !blends;
    section.querySelector("output[for=share]").textContent = share.value;
    images.moving.style.opacity = mode() === "fade" ? share.value / 100 : 1;
    images.moving.style.clipPath = mode() === "curtain" ? `inset(0 ${100 - share.value}% 0 0)` : "none";
  }

  section.classList.add("live");
  section.querySelector(".compare-modes").hidden = false;
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  slice.addEventListener("input", load);
  share.addEventListener("input", draw);
  section.querySelectorAll("input[name=mode]").forEach((input) => input.addEventListener("change", () => { load(); draw(); }));
  load();
  draw();
}

document.querySelectorAll(".compare").forEach(compare);
