# SPDX-License-Identifier: Apache-2.0
"""The pages."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
