# SPDX-License-Identifier: Apache-2.0
"""The words of VNN-LIB 2.0 for what entries of tensors are."""

REAL = "real"
REAL_WORDS = (REAL, "Real")
"""Real numbers. The grammar has the first word, the standard's examples have the second."""

COMPUTER_TYPES = (
    *("float16", "float32", "float64", "bfloat16"),
    *("float8e4m3fn", "float8e5m2", "float8e4m3fnuz", "float8e5m2fnuz", "float4e2m1"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("complex64", "complex128", "bool", "string"),
)
"""What computers compute with: variables of these types ask for that arithmetic."""

ELEMENT_TYPES = (*REAL_WORDS, *COMPUTER_TYPES)
