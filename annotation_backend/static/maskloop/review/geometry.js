// Voxels of the case's grid (i, j, k) and the viewer's own order of them, which runs right, anterior, superior.

export class Geometry {
  constructor(volume) {
    this.native = [volume.hdr.dims[1], volume.hdr.dims[2], volume.hdr.dims[3]];
    this.strides = [1, this.native[0], this.native[0] * this.native[1]];
    this.step = Array.from(volume.img2RASstep);
    this.origin = volume.img2RASstart.reduce((sum, each) => sum + each, 0);
    this.axes = this.step.map((each) => this.strides.lastIndexOf(Math.abs(each)));
    [0, 1, 2].forEach((axis) => { if (!this.axes.includes(axis)) this.axes[this.axes.indexOf(-1)] = axis; });
    this.ras = this.axes.map((axis) => this.native[axis]);
  }

  /** Which place of the viewer's own order a voxel takes. */
  toRas(voxel) {
    return this.axes.map((axis, at) => (this.step[at] < 0 ? this.native[axis] - 1 - voxel[axis] : voxel[axis]));
  }

  /** The voxel at a place of the viewer's own order. */
  toVoxel(ras) {
    const voxel = [0, 0, 0];
    this.axes.forEach((axis, at) => {
      const along = Math.min(Math.max(Math.round(ras[at]), 0), this.ras[at] - 1);
      voxel[axis] = this.step[at] < 0 ? this.native[axis] - 1 - along : along;
    });
    return voxel;
  }

  /** Steps in the viewer's own array for one step along each axis of the grid, and where voxel 0, 0, 0 stands in it. */
  walk() {
    const rasStrides = [1, this.ras[0], this.ras[0] * this.ras[1]];
    const steps = [0, 0, 0];
    let start = 0;
    this.axes.forEach((axis, at) => {
      steps[axis] = this.step[at] < 0 ? -rasStrides[at] : rasStrides[at];
      if (this.step[at] < 0) start += rasStrides[at] * (this.native[axis] - 1);
    });
    return { steps, start };
  }
}
