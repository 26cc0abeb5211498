// How unsure a model is: its map as steps that are hatched the denser the less sure it is, the value at the cross, and the
// slices where it is least sure.

const MOST_SLICES = 5;

/** Levels from 0 to 255 as a label map: each voxel has the value of the highest step that it reaches. */
export function stepped(levels, labels) {
  const steps = new Uint8Array(256);
  labels.map((label) => label.value).sort((one, other) => one - other).forEach((value) => steps.fill(value, value));
  return levels.map((level) => steps[level]);
}

/** The slices that hold most uncertainty of what is shown, the most unsure one first. */
export function leastSure({ levels, map, box }, { native, strides }, axis) {
  if (!box) return [];
  const sums = new Float64Array(native[axis]);
  const voxel = [0, 0, 0];
  for (voxel[2] = box.low[2]; voxel[2] < box.high[2]; voxel[2] += 1) {
    for (voxel[1] = box.low[1]; voxel[1] < box.high[1]; voxel[1] += 1) {
      for (voxel[0] = box.low[0]; voxel[0] < box.high[0]; voxel[0] += 1) {
        const at = voxel[0] + strides[1] * voxel[1] + strides[2] * voxel[2];
        if (map[at]) sums[voxel[axis]] += levels[at];
      }
    }
  }
  const slices = [...sums.keys()].filter((index) => sums[index] > 0);
  return slices.sort((one, other) => sums[other] - sums[one] || one - other).slice(0, MOST_SLICES);
}

export class Unsure {
  constructor(section, viewer, say) {
    this.section = section;
    this.viewer = viewer;
    this.say = say;
  }

  get shown() {
    return this.viewer.overlays.find((each) => each.kind === "uncertainty" && each.is_shown && each.map);
  }

  /** Tells where the shown model is least sure; nothing where none is shown. */
  changed() {
    const slices = this.shown ? leastSure(this.shown, this.viewer.geometry, this.viewer.axis) : [];
    const list = this.section.querySelector("[data-least-sure]");
    list.replaceChildren(...slices.map((index) => this.button(index)));
    this.section.querySelector("[data-least-sure-words]").hidden = slices.length === 0;
    this.moved(this.viewer.voxel);
    if (!this.shown) this.say("How unsure the model is: not shown.");
    else this.say(slices.length ? `How unsure the model is: least sure on slice ${slices.join(", ")}.` : "The model is sure of every voxel.");
  }

  button(index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `slice ${index}`;
    button.addEventListener("click", () => this.viewer.goToSlice(index));
    const line = document.createElement("li");
    line.append(button);
    return line;
  }

  moved([i, j, k]) {
    const here = this.section.querySelector("[data-unsure-here]");
    const { strides } = this.viewer.geometry;
    const level = this.shown ? this.shown.levels[i + strides[1] * j + strides[2] * k] : null;
    here.textContent = level === null ? "" : `At the cross: ${(level / 255).toFixed(2)} of 1.`;
  }
}
