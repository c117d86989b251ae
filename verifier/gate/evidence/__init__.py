# SPDX-License-Identifier: Apache-2.0
"""The evidence pack: a folder from which somebody else can see, and check, what a gate found.

    report.html, report.pdf     for people: the same blocks (``page``) in two forms
    checks.json                 for programs: the report, and which files belong to which check
    networks/ properties/       the bytes that were verified
    certificates/               what proves each verdict
    checker.log                 what the checker said of them
    request/                    the manifest of the gate
    manifest.json               SHA-256 and size of all of these
    statement.intoto.jsonl      who says so: a signature over a statement that names manifest.json

``writer`` makes it, ``audit`` believes none of it: it starts at the signature, takes nothing that
is not reached from there by hashes, and proves every certificate again.
"""
