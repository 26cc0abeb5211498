// Correcting in place: a pen that draws and erases labels in the mask that counts, with undo, kept as a version.

import { asFile } from "./nifti.js";
import { tinted } from "./outlines.js";

export class Pen {
  constructor(section, viewer, { token, say }) {
    this.section = section;
    this.viewer = viewer;
    this.token = token;
    this.say = say;
    const on = (name, act) => section.querySelector(`[data-${name}]`).addEventListener("click", act);
    on("begin", () => this.begin());
    on("undo", () => this.undo());
    on("cancel-pen", () => this.end());
    on("keep", () => this.keep());
    this.label = section.querySelector("[data-label]");
    this.size = section.querySelector("[data-size]");
    this.label.addEventListener("change", () => this.choose());
    this.size.addEventListener("input", () => this.choose());
  }

  get overlay() {
    return this.viewer.overlays.find((each) => each.kind === "counts");
  }

  begin() {
    if (this.viewer.pen || !this.overlay.map) return;
    const { nv, geometry } = this.viewer;
    this.viewer.pen = this;
    this.table = nv.drawLut;
    const table = new Uint8ClampedArray(256 * 4);
    this.viewer.values.labels.forEach((label) => table.set([...tinted(label.colour, "counts"), 255], label.value * 4));
    nv.drawLut = { lut: table, labels: Array(256).fill("") };
    nv.refreshColormaps();
    nv.drawBitmap.fill(0);
    this.each((at, place) => { nv.drawBitmap[place] = this.overlay.map[at]; }, geometry);
    nv.drawOpacity = 0.4;
    nv.drawRimOpacity = 1;
    nv.clickToSegmentGrowingBitmap = nv.clickToSegmentGrowingBitmap || new Uint8Array(nv.drawBitmap.length);
    nv.drawClearAllUndoBitmaps();
    nv.drawAddUndoBitmap();
    nv.setDrawingEnabled(true);
    this.choose();
    nv.refreshDrawing(true);
    this.show(true);
    this.say("Draw with the left button; the label “erase” takes away. Z takes back, Keep keeps it as your version.");
  }

  /** Calls with the place of each voxel in the file's order and in the viewer's. */
  each(act, geometry) {
    const { steps, start } = geometry.walk();
    const [width, height, depth] = geometry.native;
    for (let k = 0, at = 0; k < depth; k += 1) {
      for (let j = 0; j < height; j += 1) {
        let place = start + steps[1] * j + steps[2] * k;
        for (let i = 0; i < width; i += 1, at += 1, place += steps[0]) act(at, place);
      }
    }
  }

  choose() {
    if (!this.viewer.pen) return;
    this.viewer.nv.opts.penSize = Number(this.size.value);
    this.viewer.nv.setPenValue(Number(this.label.value), false);
  }

  undo() {
    if (this.viewer.pen) this.viewer.nv.drawUndo();
  }

  end() {
    if (!this.viewer.pen) return;
    const { nv } = this.viewer;
    nv.setDrawingEnabled(false);
    nv.drawLut = this.table;
    nv.refreshColormaps();
    this.viewer.pen = null;
    this.show(false);
    this.viewer.redraw();
    this.say("");
  }

  show(isDrawing) {
    this.section.querySelector("[data-begin]").hidden = isDrawing;
    this.section.querySelector("[data-tools]").hidden = !isDrawing;
  }

  /** The drawn mask in the file's order, and how many voxels differ, as a share of those in either. */
  drawn() {
    const { nv, geometry } = this.viewer;
    const before = this.overlay.map, after = new Uint8Array(before.length);
    let differs = 0, either = 0;
    this.each((at, place) => {
      after[at] = nv.drawBitmap[place];
      if (after[at] || before[at]) either += 1;
      if (after[at] !== before[at]) differs += 1;
    }, geometry);
    return { after, share: either ? differs / either : 0 };
  }

  async keep() {
    if (!this.viewer.pen) return;
    const { after, share } = this.drawn();
    if (share === 0) {
      this.say("Nothing was changed yet.");
      return;
    }
    this.say("Keeping your version …");
    const body = new FormData();
    body.append("base", this.section.dataset.base);
    body.append("file", await asFile(this.overlay.head, after), "mask.nii.gz");
    const answer = await fetch(this.section.dataset.address, {
      method: "POST", credentials: "same-origin", headers: { "X-CSRFToken": this.token, Accept: "application/json" }, body,
    });
    const said = await answer.json().catch(() => ({ message: "The service did not answer.", remedy: "Try again in a moment." }));
    if (answer.ok) window.location.assign(said.address);
    else this.say(`${said.message} ${said.remedy}`);
  }
}

