"""The stages of a study, one function each: files in, files out."""
