// Label maps as the service gives them: one byte a voxel, behind the header of a NIfTI-1 file.

/** The voxels of a label map and the bytes before them. */
export function readLabels(buffer) {
  const view = new DataView(buffer);
  const offset = view.getFloat32(108, true);
  if (view.getInt32(0, true) !== 348 || view.getInt16(70, true) !== 2) throw new Error("no label map");
  return { head: buffer.slice(0, offset), labels: new Uint8Array(buffer, offset) };
}

/** A label map as a .nii.gz file. */
export function asFile(head, labels) {
  const whole = new Blob([head, labels]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(whole).blob();
}
