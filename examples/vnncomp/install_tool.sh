#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install_tool.sh VERSION
# Installs mucg4 with pinned versions into .venv beside the sources, and compiles what is compiled.
set -euo pipefail

[ "${1:-}" = v1 ] || { echo "install_tool.sh: expected version v1, got '${1:-}'" >&2; exit 1; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
python=${MUCG4_PYTHON:-python3}

"$python" -m venv "$root/.venv"
"$root/.venv/bin/python" -m pip install --quiet --constraint "$root/constraints.txt" "$root"
"$root/.venv/bin/mucg4" warm-up
