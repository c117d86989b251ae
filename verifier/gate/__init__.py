# SPDX-License-Identifier: Apache-2.0
"""The gate: whether all that a manifest asks for is proved, for a build that stops where it is not.

A manifest is read (``manifest``), becomes jobs of a batch (``gate``), and their outcomes are judged
(``judgement``, ``check``). The other modules write down what came of it, each in the form of its
reader.
"""
