# SPDX-License-Identifier: Apache-2.0
"""A client of the job server: ``Client``, and ``AsyncClient`` with the same methods to await.

::

    with Client("http://127.0.0.1:8484", key) as client:
        model = client.upload(FileKind.MODEL, Path("network.onnx"))
        prop = client.upload(FileKind.PROPERTY, Path("property.vnnlib"))
        job = client.wait(client.prove(model.sha256, [prop.sha256]).id)
        print(job.verdict)
        client.download(job.id, "certificate", Path("network.certificate"))

Each method is written once, in ``calls``, as a conversation that yields steps: send this, read on,
pause. ``clients`` performs the steps, one class with threads that wait and one without, as httpx
does with flows of authentication. Needs nothing of the server but the words of its API.
"""

from api.client.clients import AsyncClient, Client
from api.client.conversation import Patience
from api.client.errors import (
    ClientError,
    ConnectionLostError,
    NoArtifactError,
    NotUnderstoodError,
    ProblemError,
    WaitTimeoutError,
    WrongContentError,
)
from api.schemas import Compression, FileKind, Network, Scope

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Compression",
    "ConnectionLostError",
    "FileKind",
    "Network",
    "NoArtifactError",
    "NotUnderstoodError",
    "Patience",
    "ProblemError",
    "Scope",
    "WaitTimeoutError",
    "WrongContentError",
]
