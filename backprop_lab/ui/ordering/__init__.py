"""The lab of lines to put in order."""
