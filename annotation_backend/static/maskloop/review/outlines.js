// Masks drawn into the viewer's one layer of labels: as outlines or filled, each of its own colour and its own stroke, so
// that two masks are told apart without colour too: solid counts, dashes are a former version, dots a model's. How unsure
// a model is lies beneath them as hatching: wide, narrow, crossed.

const STROKES = {
  counts: () => true,
  former: (a, b) => ((a + b) & 7) < 5,
  model: (a, b) => ((a + b) & 3) === 0,
  reader: (a, b) => ((a - b) & 7) < 4,
};
const HATCHINGS = [
  (a, b) => (a + b) % 6 === 0,
  (a, b) => (a + b) % 3 === 0,
  (a, b) => (a + b) % 3 === 0 || (a - b) % 3 === 0,
];
const TINTS = { counts: null, former: [255, 255, 255, 0.55], model: [51, 154, 240, 0.75], reader: [177, 151, 252, 0.75] };
const MARK = [255, 236, 153];
const MARK_RADIUS = 5;
const FINE = 320;

export const MARK_INDEX = 255;

/** Red, green and blue of #rrggbb, mixed with what tells the mask's kind. */
export function tinted(colour, kind) {
  const own = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const tint = TINTS[kind];
  return tint ? own.map((each, at) => Math.round(each * (1 - tint[3]) + tint[at] * tint[3])) : own;
}

/** The table of colours: one index for each label of each mask, the last one for marks of comments. */
export function colourTable(overlays) {
  const table = new Uint8ClampedArray(256 * 4);
  let next = 1;
  overlays.forEach((overlay) => {
    overlay.indices = {};
    overlay.labels.forEach((label) => {
      if (next >= MARK_INDEX) return;
      overlay.indices[label.value] = next;
      table.set([...tinted(label.colour, overlay.kind), 255], next * 4);
      next += 1;
    });
  });
  table.set([...MARK, 255], MARK_INDEX * 4);
  return table;
}

/** The box [low, high) that holds all labels of a map; null of an empty one. */
export function boxOf(labels, shape) {
  const [width, height] = shape;
  const low = [...shape], high = [0, 0, 0];
  for (let k = 0, at = 0; k < shape[2]; k += 1) {
    for (let j = 0; j < height; j += 1, at += width) {
      const row = labels.subarray(at, at + width);
      let first = 0;
      while (first < width && row[first] === 0) first += 1;
      if (first === width) continue;
      let last = width - 1;
      while (row[last] === 0) last -= 1;
      low[0] = Math.min(low[0], first); high[0] = Math.max(high[0], last + 1);
      low[1] = Math.min(low[1], j); high[1] = Math.max(high[1], j + 1);
      low[2] = Math.min(low[2], k); high[2] = k + 1;
    }
  }
  return high[0] ? { low, high } : null;
}

/** Which voxels of a mask are drawn where it is not outlined: all, or hatched the denser the higher its value. */
function hatching({ kind, labels }) {
  if (kind !== "uncertainty") return null;
  const values = labels.map((label) => label.value).sort((one, other) => one - other);
  return (label, a, b) => HATCHINGS[values.indexOf(label)](a, b);
}

/** Draws a mask into the bitmap; in outlines, only voxels near another label in their slice: lines stay visible on fine grids. */
export function draw(bitmap, overlay, geometry, { filled, axis }) {
  const { map: labels, box, indices, kind } = overlay;
  if (!box) return;
  const hatched = hatching(overlay);
  const { steps, start } = geometry.walk();
  const { strides, native } = geometry;
  const [one, other] = [0, 1, 2].filter((each) => each !== axis);
  const stroke = STROKES[kind];
  const wide = Math.max(native[one], native[other]) >= FINE ? 2 : 1;
  const voxel = [0, 0, 0];
  for (voxel[2] = box.low[2]; voxel[2] < box.high[2]; voxel[2] += 1) {
    for (voxel[1] = box.low[1]; voxel[1] < box.high[1]; voxel[1] += 1) {
      for (voxel[0] = box.low[0]; voxel[0] < box.high[0]; voxel[0] += 1) {
        const at = voxel[0] + strides[1] * voxel[1] + strides[2] * voxel[2];
        const label = labels[at];
        if (label === 0) continue;
        if (hatched) {
          if (!hatched(label, Math.floor(voxel[one] / wide), Math.floor(voxel[other] / wide))) continue;
        } else if (!filled) {
          const inner = voxel[one] >= wide && voxel[one] < native[one] - wide && voxel[other] >= wide && voxel[other] < native[other] - wide
            && labels[at - wide * strides[one]] === label && labels[at + wide * strides[one]] === label
            && labels[at - wide * strides[other]] === label && labels[at + wide * strides[other]] === label
            && labels[at - strides[one]] === label && labels[at + strides[one]] === label
            && labels[at - strides[other]] === label && labels[at + strides[other]] === label;
          if (inner || !stroke(voxel[one], voxel[other])) continue;
        }
        bitmap[start + steps[0] * voxel[0] + steps[1] * voxel[1] + steps[2] * voxel[2]] = indices[label] || 0;
      }
    }
  }
}

/** Draws a square around the voxel of a comment, in its slice. */
export function mark(bitmap, voxel, geometry, axis) {
  const { steps, start } = geometry.walk();
  const [one, other] = [0, 1, 2].filter((each) => each !== axis);
  const small = Math.min(geometry.native[one], geometry.native[other]);
  const radius = Math.max(1, Math.min(MARK_RADIUS, Math.round(small / 40)));
  for (let a = -radius; a <= radius; a += 1) {
    for (let b = -radius; b <= radius; b += 1) {
      if (Math.max(Math.abs(a), Math.abs(b)) !== radius) continue;
      const at = [...voxel];
      at[one] += a; at[other] += b;
      if (at[one] < 0 || at[other] < 0 || at[one] >= geometry.native[one] || at[other] >= geometry.native[other]) continue;
      bitmap[start + steps[0] * at[0] + steps[1] * at[1] + steps[2] * at[2]] = MARK_INDEX;
    }
  }
}
