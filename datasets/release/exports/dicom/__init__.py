"""DICOM SEG of a release's masks: the codes of labels, the series that a mask refers to, and the object itself."""
