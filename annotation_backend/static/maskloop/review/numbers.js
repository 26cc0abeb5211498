// Numbers of the mask beside the viewer: volume, diameters, what looks odd, and jumps to it.

import { Curve } from "./curve.js";

export class Numbers {
  constructor(section, viewer) {
    this.section = section;
    this.viewer = viewer;
    this.curve = null;
    this.change = null;
    this.stops = [];
  }

  async load(address) {
    const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status}`);
    const found = await answer.json();
    this.change = found.change;
    this.stops = found.findings;
    this.tell(found);
    const go = (index) => this.viewer.goToSlice(index);
    const marked = [...new Set(found.findings.map((one) => one.slice))];
    this.curve = new Curve(this.section.querySelector("[data-curve]"), found.areas, { marked, go });
    this.curve.show(this.viewer.slice);
    this.section.hidden = false;
    return found;
  }

  tell(found) {
    const rows = found.volumes.map(({ name, ml }) => [name, `${ml} ml`]);
    if (found.diameters) {
      rows.push(["Longest diameter", `${found.diameters.long.mm} mm`], ["Across it", `${found.diameters.short.mm} mm`]);
    }
    if (found.change) rows.push(["Largest change", `slice ${found.change.slice}, ${found.change.mm2} mm²`]);
    const list = this.section.querySelector("[data-figures]");
    list.replaceChildren(...rows.flatMap(([term, value]) => [made("dt", term), made("dd", value)]));
    const odd = this.section.querySelector("[data-odd]");
    odd.replaceChildren(...this.stops.map((stop) => {
      const button = made("button", stop.words);
      button.type = "button";
      button.className = "quiet";
      button.addEventListener("click", () => this.jump(stop));
      const line = made("li", "");
      line.append(button);
      return line;
    }));
    this.section.querySelector("[data-sound]").hidden = this.stops.length > 0;
    const measure = this.section.querySelector("[data-measure]");
    measure.hidden = !found.diameters;
    this.diameters = found.diameters;
  }

  jump(stop) {
    if (stop.voxel) this.viewer.go(stop.voxel);
    else this.viewer.goToSlice(stop.slice);
  }
}

function made(name, words) {
  const element = document.createElement(name);
  element.textContent = words;
  return element;
}
