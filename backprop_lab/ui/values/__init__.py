"""The value of a cell and how it was computed, as numbers and text: no widgets and no drawing."""
