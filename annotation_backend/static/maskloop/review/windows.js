// Windows of greys: fixed values of CT and PET, percentiles of everything else.

const SAMPLED = 200000;

/** The two values of a preset in an image. */
export function windowOf(preset, volume) {
  if ("lower" in preset) return [preset.lower, preset.upper];
  const values = sorted(volume);
  const at = (percent) => values[Math.min(values.length - 1, Math.max(0, Math.round((percent / 100) * (values.length - 1))))];
  const [low, high] = [at(preset.low), at(preset.high)];
  return high > low ? [low, high] : [low, low + Math.max(1, Math.abs(low) * 1e-6)];
}

/** Some of the image's values in order; every so many voxels are enough for a window. */
function sorted(volume) {
  if (!volume.sampled) {
    const every = Math.max(1, Math.floor(volume.img.length / SAMPLED) | 1);
    const count = Math.floor((volume.img.length - 1) / every) + 1;
    const values = new Float32Array(count);
    const slope = volume.hdr.scl_slope || 1, inter = volume.hdr.scl_inter || 0;
    for (let n = 0; n < count; n += 1) values[n] = volume.img[n * every] * slope + inter;
    volume.sampled = values.sort();
  }
  return volume.sampled;
}
