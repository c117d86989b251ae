# SPDX-License-Identifier: Apache-2.0
"""What a pack is worth: the parts of a report that are the same in every one."""

from __future__ import annotations

from verifier.gate.evidence.blocks import Cell, Code, Items, Section, Table, Text

SEMANTICS = Section(
    "semantics",
    "What a verdict means",
    (
        Text(
            "A verdict is about the network as a mathematical function: real arithmetic, without "
            "rounding, on the weights exactly as they are stored in the file whose SHA-256 is "
            "given here; weights stored as quantised integers count with the values they stand "
            "for."
        ),
        Items(
            (
                (
                    "holds: no input in the property's input set has an output that the property "
                    "calls unsafe. This is proved for all of them, not sampled."
                ),
                "violated: the report gives an input in the set whose exact output is unsafe.",
                "unknown, timeout, error: neither was shown. This says nothing about the property.",
            )
        ),
        Text("Outside what is proved:"),
        Items(
            (
                (
                    "Rounding in floating point at run time. Where an exact output is close to "
                    "the edge of what the property allows, the deployed computation may fall on "
                    "the other side."
                ),
                (
                    "The runtime, compiler, drivers and hardware that execute the network. "
                    "Before each verification the file was run in onnxruntime at some inputs and "
                    "agreed with the model of it that was verified, within a bound on rounding; "
                    "that is a test, not a proof."
                ),
                (
                    "What comes before and after the network: sensors, preprocessing, "
                    "postprocessing, monitors."
                ),
                "Inputs outside the input sets, and demands that no property states.",
            )
        ),
        Text(
            "Counterexamples are replayed in onnxruntime, with and without graph optimisations. "
            "The verdict rests on exact arithmetic; the replay tells whether floats show the "
            "same."
        ),
    ),
)

_FRAMEWORKS = (
    (
        "EASA concept paper on machine learning (learning assurance)",
        (
            "Verification is to cover the inference model, which is what remains after "
            "optimisations such as pruning and quantisation, and the transformation is not to "
            "alter the properties that were shown of the trained model."
        ),
        (
            "The files that were verified are the inference models themselves, named by SHA-256. "
            "Where a property holds for the original and for its variant, that compression is "
            "shown not to have altered this property. It is not shown that both behave alike "
            "otherwise."
        ),
        (
            "That the properties cover the requirements and the operational design domain; data "
            "and learning process; verification on the target platform."
        ),
    ),
    (
        "DO-333 with DO-178C, and DO-330",
        (
            "Formal analysis is to be sound, and a tool whose output is relied on without "
            "further verification is to be qualified."
        ),
        (
            "The search for a proof is not relied on: a verdict counts only with a certificate "
            "that a small checker, which shares no reasoning with the search, accepts. What would "
            "be argued for or qualified is the checker with its readers of networks and "
            "properties, instead of the solver."
        ),
        (
            "The justification of the method for the project, and tool qualification where "
            "credit is sought. mucg4 is not qualified under DO-330."
        ),
    ),
    (
        "ISO/PAS 8800 (road vehicles, safety and AI)",
        (
            "Evidence that an AI component meets the safety requirements allocated to it, as "
            "part of an assurance argument."
        ),
        (
            "For requirements that can be written as properties: a proof over whole input sets, "
            "or a counterexample, for each network as it is and as compressed."
        ),
        (
            "Deriving the requirements, their completeness, data, monitoring in the field, the "
            "argument as a whole."
        ),
    ),
    (
        "EU AI Act, Regulation (EU) 2024/1689, Article 15",
        "High-risk AI systems are to be accurate, robust and secure to an appropriate level.",
        (
            "One technical record on robustness: within the stated input sets, where a property "
            "holds, there is no adversarial input against it. The signature shows later changes "
            "of the record."
        ),
        (
            "Accuracy and its metrics, robustness beyond the stated sets, security of the "
            "system, and all duties of other articles. This is no declaration of conformity."
        ),
    ),
)

WORTH = Section(
    "worth",
    "What this is evidence of, and of what it is not",
    (
        Text(
            "It is evidence that, for the networks and property texts named here by SHA-256, the "
            "verdicts whose certificates the checker accepts are true in real arithmetic; who "
            "re-checks the pack need not take our word for it. It is not evidence that the "
            "properties are the right ones or enough, and it is no approval, qualification or "
            "certification by anybody."
        ),
        Text(
            "What frameworks ask is summarised here by the makers of mucg4, not quoted; the "
            "published texts are authoritative.",
            is_aside=True,
        ),
        Table(
            "What frameworks ask and what this pack offers",
            ("Framework", "Asks, in short", "This pack offers", "Remains to be shown"),
            (1.1, 1.5, 2.2, 1.6),
            tuple(tuple(Cell(text) for text in row) for row in _FRAMEWORKS),
        ),
    ),
)

RECHECK = Section(
    "recheck",
    "How to re-check this pack",
    (
        Text(
            "Get the signer's public key in another way than together with this folder, install "
            "mucg4 from a source that you trust, and run"
        ),
        Code("mucg4 evidence check FOLDER --public-key PUB.pem"),
        Text(
            "It verifies the signature over statement.intoto.jsonl, every file against "
            "manifest.json, the statement against checks.json, and then has the checker prove "
            "each certificate again against the network and property in this folder. It ends "
            "with status 0 only if all of that is right, and prints a table of its own: rely on "
            "that table rather than on this page."
        ),
        Text(
            "Nothing binds you to mucg4: the statement is an in-toto attestation in a DSSE "
            "envelope signed with Ed25519, files are listed with SHA-256, properties are "
            "VNN-LIB, networks are ONNX, and the format of certificates is published. One "
            "certificate alone is checked with"
        ),
        Code(
            "mucg4 certificate check certificates/C1.json.gz --network networks/NETWORK.onnx "
            "--property properties/PROPERTY.vnnlib"
        ),
    ),
)
