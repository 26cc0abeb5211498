// Reads a DICOM SEG as web viewers do, with @cornerstonejs/adapters, and says what it holds.
//
//   node read_seg.mjs NODE_MODULES SERIES_FOLDER SEGMENTATION OUT
//
// OUT gets the label map (slice by slice along the normal, rows, columns) as bytes; stdout one JSON object.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, folder, segmentation, out] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(resolve(modules), path)).href);

const { adaptersSEG } = await load('@cornerstonejs/adapters/dist/esm/index.js');
const core = await load('@cornerstonejs/core/dist/esm/index.js');
const dcmjs = (await load('dcmjs/build/dcmjs.es.js')).default;

const bytesOf = (path) => {
  const content = readFileSync(path);
  return content.buffer.slice(content.byteOffset, content.byteOffset + content.length);
};
const read = (path) => {
  const file = dcmjs.data.DicomMessage.readFile(bytesOf(path));
  return dcmjs.data.DicomMetaDictionary.naturalizeDataset(file.dict);
};

const cross = ([a, b, c], [d, e, f]) => [b * f - c * e, c * d - a * f, a * e - b * d];
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);

const slices = readdirSync(folder)
  .map((name) => read(join(folder, name)))
  .filter((slice) => slice.ImagePositionPatient);
const directions = slices[0].ImageOrientationPatient.map(Number);
const normal = cross(directions.slice(0, 3), directions.slice(3));
const along = (slice) => dot(slice.ImagePositionPatient.map(Number), normal);
slices.sort((one, other) => along(one) - along(other));

const byId = new Map(slices.map((slice, index) => [`file:${index}`, slice]));
const MODULES = {
  instance: (slice) => slice,
  imagePlaneModule: (slice) => ({
    rows: slice.Rows,
    columns: slice.Columns,
    rowCosines: directions.slice(0, 3),
    columnCosines: directions.slice(3),
    imageOrientationPatient: directions,
    imagePositionPatient: slice.ImagePositionPatient.map(Number),
    pixelSpacing: slice.PixelSpacing.map(Number),
    rowPixelSpacing: Number(slice.PixelSpacing[0]),
    columnPixelSpacing: Number(slice.PixelSpacing[1]),
    frameOfReferenceUID: slice.FrameOfReferenceUID,
  }),
  generalSeriesModule: (slice) => ({ seriesInstanceUID: slice.SeriesInstanceUID, modality: slice.Modality }),
  generalImageModule: (slice) => ({ sopInstanceUID: slice.SOPInstanceUID }),
  imagePixelModule: (slice) => ({ bitsAllocated: slice.BitsAllocated, rows: slice.Rows, columns: slice.Columns }),
};
const extra = new Map();
const get = (kind, id) => {
  if (extra.has(`${kind} ${id}`)) return extra.get(`${kind} ${id}`);
  const slice = byId.get(id);
  return slice && MODULES[kind] ? MODULES[kind](slice) : undefined;
};
const provider = { get, addInstance: (id, value) => extra.set(`instance ${id}`, value) };
core.metaData.addProvider(get, 1000);

const found = await adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer(
  [...byId.keys()],
  bytesOf(segmentation),
  { metadataProvider: provider },
);
const size = slices[0].Rows * slices[0].Columns;
const labels = new Uint8Array(size * slices.length);
for (const images of found.labelMapImages) {
  images.forEach((image, index) => {
    image.voxelManager.getScalarData().forEach((value, place) => {
      if (value) labels[index * size + place] = value;
    });
  });
}
writeFileSync(out, labels);
const segments = found.segMetadata.data.filter(Boolean).map((segment) => ({
  number: Number(segment.SegmentNumber),
  label: segment.SegmentLabel,
  code: [segment.SegmentedPropertyTypeCodeSequence].flat()[0].CodeValue,
}));
console.log(JSON.stringify({ shape: [slices.length, slices[0].Rows, slices[0].Columns], segments }));
process.exit(0);
