"""What publishers of datasets lay out, read as one kind of value: cases with images, masks and words about them.

Imports `datasets.dicom`, `datasets.dicom_masks`, `datasets.dicom_series`, `datasets.formats`, `datasets.image`,
`datasets.labels`, `datasets.pictures` and `datasets.release`. `datasets.public.layouts` has one file a layout.
"""
