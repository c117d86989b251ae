# SPDX-License-Identifier: Apache-2.0
"""Every error a caller may catch, as one tree.

    VerifierError
    ├── UsageError               the request itself is wrong (exit status 2)
    │   ├── PropertyError        a property that is malformed, or does not fit the network
    │   └── ProofMismatchError   a proof of another network or property
    └── RefusedError             the request cannot be answered soundly (exit status 3)
        ├── UnsupportedError     an operator, attribute or dialect that is not modelled
        ├── ModelError           a model file that is damaged or says what it must not
        └── CorruptFileError     a proof, neuron map or certificate that is damaged

Messages name the value, the place and, where there is one, the way out.
"""


class VerifierError(Exception):
    """Base of all errors that this project raises on purpose."""


class UsageError(VerifierError):
    """The request is wrong as it stands."""


class PropertyError(UsageError, ValueError):
    """A property is malformed or does not fit the network."""


class ProofMismatchError(UsageError):
    """A proof belongs to another network or another property."""


class RefusedError(VerifierError):
    """The request cannot be answered soundly, so it is not answered."""


class UnsupportedError(RefusedError):
    """Something is not modelled: it is named, never skipped."""


class ModelError(RefusedError):
    """A model file is damaged or inconsistent."""


class CorruptFileError(RefusedError):
    """A proof, neuron map or certificate file is damaged."""
