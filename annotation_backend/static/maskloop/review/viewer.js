// The viewer: images and masks of one case in three planes and as a rendering, by NiiVue.

import { Geometry } from "./geometry.js";
import { readLabels } from "./nifti.js";
import { boxOf, colourTable, draw, mark } from "./outlines.js";
import { stepped } from "./uncertainty.js";
import { windowOf } from "./windows.js";

const VIEWS = { planes: 3, axial: 0, coronal: 1, sagittal: 2, rendering: 4 };
const SLICE_TYPES = { axial: 0, coronal: 1, sagittal: 2 };

/** NiiVue works out a shaded gradient of the whole image after each change, which nothing here shows: it draws nowhere. */
const NOWHERE = { use: (gl) => gl.viewport(0, 0, 0, 0), uniforms: {} };

export class Viewer {
  constructor(values, canvas, font) {
    this.values = values;
    this.canvas = canvas;
    this.axis = values.plane.axis;
    this.images = values.images;
    this.overlays = values.overlays;
    this.filled = false;
    this.measure = null;
    this.marks = [];
    this.view = "planes";
    this.pen = null;
    this.onMove = () => {};
    this.onWindow = () => {};
    const nv = new window.niivue.Niivue({
      isRadiologicalConvention: true, sagittalNoseLeft: true, isAntiAlias: false, loadingText: "", logLevel: "error",
      dragAndDropEnabled: false, multiplanarShowRender: 0, crosshairColor: [0.3, 0.75, 1, 0.55], crosshairWidth: 0.25, crosshairWidthUnit: "percent",
      crosshairGap: 12, backColor: [0.04, 0.04, 0.05, 1], show3Dcrosshair: true, rulerColor: [1, 0.85, 0.4, 0.9],
      rulerWidth: 1.5, measureTextColor: [1, 0.85, 0.4, 1], measureLineColor: [1, 0.85, 0.4, 1], measureTextHeight: 0.045, measureTextJustify: "end",
      isNearestInterpolation: false, yoke3Dto2DZoom: false, isForceMouseClickToVoxelCenters: true,    });
    nv.DEFAULT_FONT_GLYPH_SHEET = font;
    nv.loadDefaultMatCap = async () => null;
    nv.onLocationChange = () => this.moved();
    nv.onIntensityChange = (volume) => this.onWindow(this.images.findIndex((image) => image.volume === volume));
    this.nv = nv;
  }

  /** Shows the drawn image with its mask as soon as both are there, then fetches the others. */
  async start() {
    const drawn = this.images.find((image) => image.isDrawn) || this.images[0];
    const shown = this.overlays.filter((overlay) => overlay.is_shown);
    const fetched = new Map([...this.images, ...shown].map((each) => [each, fetch(each.address, { credentials: "same-origin" }).then(bytes)]));
    await this.nv.attachToCanvas(this.canvas);
    this.nv.blurShader = NOWHERE;
    this.nv.sobelFirstOrderShader = NOWHERE;
    this.base = drawn;
    await this.take(drawn, await fetched.get(drawn));
    this.geometry = new Geometry(drawn.volume);
    this.nv.volumes = [drawn.volume];
    this.nv.back = drawn.volume;
    this.nv.overlays = [];
    this.nv.customLayout = this.layout;
    this.nv.drawLut = { lut: colourTable(this.overlays), labels: Array(256).fill("") };
    this.nv.refreshLayers(drawn.volume, 0);
    this.nv.drawBitmap = new Uint8Array(this.geometry.ras.reduce((product, size) => product * size, 1));
    this.nv.drawTexture = this.nv.r8Tex(this.nv.drawTexture, this.nv.gl.TEXTURE7, drawn.volume.dimsRAS, true);
    await Promise.all(shown.map(async (overlay) => this.hold(overlay, await fetched.get(overlay))));
    this.nv.scene.crosshairPos = this.nv.vox2frac(this.geometry.toRas(this.first()));
    this.redraw();
    this.moved();
    await painted(this.nv);
    performance.mark("viewer-ready");
    await Promise.all(this.images.filter((image) => image !== drawn).map(async (image) => this.take(image, await fetched.get(image))));
    performance.mark("viewer-complete");
  }

  async take(image, buffer) {
    image.volume = await window.niivue.NVImage.loadFromUrl({ url: buffer, name: `${image.role}.nii`, cal_min: 0, cal_max: 1 });
    image.preset = image.windows[0].name;
    [image.volume.cal_min, image.volume.cal_max] = windowOf(image.windows[0], image.volume);
  }

  hold(overlay, buffer) {
    const { head, labels } = readLabels(buffer);
    overlay.head = head;
    overlay.levels = labels;
    overlay.map = overlay.kind === "uncertainty" ? stepped(labels, overlay.labels) : labels;
    overlay.box = boxOf(overlay.map, this.geometry.native);
  }

  /** The middle of the mask that counts, or of the image. */
  first() {
    const box = (this.overlays.find((overlay) => overlay.is_shown) || {}).box;
    const shape = this.geometry.native;
    return shape.map((size, at) => Math.floor(box ? (box.low[at] + box.high[at] - 1) / 2 : (size - 1) / 2));
  }

  get voxel() {
    return this.geometry.toVoxel(Array.from(this.nv.frac2vox(this.nv.scene.crosshairPos)));
  }

  get slice() {
    return this.voxel[this.axis];
  }

  go(voxel) {
    const inside = voxel.map((at, axis) => Math.min(Math.max(at, 0), this.geometry.native[axis] - 1));
    this.nv.scene.crosshairPos = this.nv.vox2frac(this.geometry.toRas(inside));
    this.nv.drawScene();
    this.moved();
  }

  goToSlice(index) {
    const voxel = this.voxel;
    voxel[this.axis] = index;
    this.go(voxel);
  }

  moved() {
    if (this.geometry) this.onMove(this.voxel);
  }

  async toggle(overlay) {
    overlay.is_shown = !overlay.is_shown;
    if (overlay.is_shown && !overlay.map) {
      this.hold(overlay, await bytes(await fetch(overlay.address, { credentials: "same-origin" })));
    }
    this.redraw();
  }

  setFilled(filled) {
    this.filled = filled;
    this.redraw();
  }

  /** Draws all shown masks and marks anew; the mask that counts last, so that it lies on top. */
  redraw() {
    if (this.pen) return;
    const bitmap = this.nv.drawBitmap;
    bitmap.fill(0);
    const shown = this.overlays.filter((overlay) => overlay.is_shown && overlay.map).reverse();
    shown.forEach((overlay) => draw(bitmap, overlay, this.geometry, { filled: this.filled && overlay.kind === "counts", axis: this.axis }));
    this.marks.forEach((voxel) => mark(bitmap, voxel, this.geometry, this.axis));
    this.nv.drawOpacity = this.filled ? 0.35 : 0.95;
    this.nv.drawRimOpacity = this.filled ? 0.95 : -1;
    this.nv.refreshDrawing(false);
    this.nv.drawScene();
  }

  /** The drawn plane large on the left, the two others beside it. */
  get layout() {
    const drawn = SLICE_TYPES[this.values.plane.anatomical];
    const [upper, lower] = [1, 2, 0].filter((type) => type !== drawn);
    return [
      { sliceType: drawn, position: [0, 0, 0.64, 1] },
      { sliceType: upper, position: [0.64, 0, 0.36, 0.5] },
      { sliceType: lower, position: [0.64, 0.5, 0.36, 0.5] },
    ];
  }

  setView(view) {
    this.view = view;
    this.nv.customLayout = view === "planes" ? this.layout : null;
    this.nv.setSliceType(VIEWS[view]);
  }

  /** Lays another image over the drawn one; 0 shows the drawn one alone, 1 the other alone. */
  blend(image, share) {
    const other = image && image.volume && image !== this.base ? image.volume : null;
    if (!other) return;
    other.opacity = share;
    other.colormap = image.unit === "SUV" ? "hot" : "gray";
    this.nv.volumes = share > 0 ? [this.base.volume, other] : [this.base.volume];
    this.nv.overlays = share > 0 ? [other] : [];
    if (share > 0) this.nv.refreshLayers(other, 1);
    else this.nv.updateGLVolume();
    this.nv.drawScene();
  }

  setWindow(image, low, high) {
    image.volume.cal_min = low;
    image.volume.cal_max = high;
    const layer = this.nv.volumes.indexOf(image.volume);
    if (layer >= 0) {
      this.nv.refreshLayers(image.volume, layer);
      this.nv.drawScene();
    }
  }

  /** Draws two diameters on their slice. */
  setMeasure(diameters) {
    const mm = (voxel) => this.nv.frac2mm(this.nv.vox2frac(this.geometry.toRas(voxel))).slice(0, 3);
    const type = SLICE_TYPES[this.values.plane.anatomical];
    const component = 2 - type;
    const line = (ends) => {
      const place = this.nv.vox2frac(this.geometry.toRas(ends[0]))[component];
      return { startMM: mm(ends[0]), endMM: mm(ends[1]), sliceIndex: 0, sliceType: type, slicePosition: place, distance: 0 };
    };
    this.nv.document.completedMeasurements = diameters ? [line(diameters.long.ends), line(diameters.short.ends)] : [];
    this.nv.drawScene();
  }

  zoom(factor) {
    const [x, y, z, now] = this.nv.scene.pan2Dxyzmm;
    this.nv.setPan2Dxyzmm(factor === 0 ? [0, 0, 0, 1] : [x, y, z, Math.min(8, Math.max(0.5, now * factor))]);
  }
}

async function bytes(answer) {
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.arrayBuffer();
}

/** Waits until the picture stands on the screen: the graphics card has drawn it, and a frame was shown. */
async function painted(nv) {
  nv.gl.readPixels(0, 0, 1, 1, nv.gl.RGBA, nv.gl.UNSIGNED_BYTE, new Uint8Array(4));
  await new Promise(requestAnimationFrame);
}
