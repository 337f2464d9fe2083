"""The operators of ML programs, evaluated with torch in float32; `table.OPERATORS` has one row per type.

A function takes the operator's inputs by their names in MIL, as the annotation says: tensors, or the Python value of an
input that has to be constant. Semantics are those of coremltools' documentation of MIL and of its value inference.
"""
