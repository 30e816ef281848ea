"""What stands in a cell and what it was made from, as numbers and text: no widgets and no drawing."""
