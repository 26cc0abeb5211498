// The area of the mask over the slices as a curve that can be clicked and moved along by keys.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320, HEIGHT = 96, LEFT = 4, BOTTOM = 16;

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

export class Curve {
  constructor(place, areas, { marked, go }) {
    this.areas = areas;
    this.go = go;
    const most = Math.max(...areas, 1);
    this.x = (index) => LEFT + ((WIDTH - 2 * LEFT) * (index + 0.5)) / areas.length;
    const y = (area) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 8) * area) / most;
    const svg = element("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "slider", tabindex: "0", "aria-label": "Slice, along the area of the mask",
      "aria-valuemin": "0", "aria-valuemax": String(areas.length - 1),
    });
    svg.append(element("line", { x1: LEFT, y1: HEIGHT - BOTTOM, x2: WIDTH - LEFT, y2: HEIGHT - BOTTOM, class: "curve-base" }));
    const points = areas.map((area, index) => `${this.x(index).toFixed(1)},${y(area).toFixed(1)}`);
    svg.append(element("polygon", { points: `${this.x(0)},${HEIGHT - BOTTOM} ${points.join(" ")} ${this.x(areas.length - 1)},${HEIGHT - BOTTOM}`, class: "curve-area" }));
    svg.append(element("polyline", { points: points.join(" "), class: "curve-line" }));
    marked.forEach((index) => svg.append(element("path", { d: `M${this.x(index)} ${HEIGHT - BOTTOM + 3} l4 8 l-8 0 z`, class: "curve-mark" })));
    this.here = element("line", { y1: 4, y2: HEIGHT - BOTTOM, class: "curve-here" });
    svg.append(this.here);
    svg.addEventListener("click", (event) => this.jump(event));
    svg.addEventListener("keydown", (event) => this.step(event));
    place.replaceChildren(svg);
    this.svg = svg;
  }

  jump(event) {
    const box = this.svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * WIDTH;
    const index = Math.floor(((share - LEFT) / (WIDTH - 2 * LEFT)) * this.areas.length);
    this.go(Math.min(Math.max(index, 0), this.areas.length - 1));
  }

  step(event) {
    const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 };
    const ends = { Home: 0, End: this.areas.length - 1 };
    if (event.key in moves) this.go(Math.min(Math.max(this.index + moves[event.key], 0), this.areas.length - 1));
    else if (event.key in ends) this.go(ends[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  show(index) {
    this.index = index;
    this.here.setAttribute("x1", this.x(index));
    this.here.setAttribute("x2", this.x(index));
    this.svg.setAttribute("aria-valuenow", index);
    this.svg.setAttribute("aria-valuetext", `slice ${index}, ${Math.round(this.areas[index] || 0)} square millimetres`);
  }
}
