#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prepare_instance.sh VERSION CATEGORY NETWORK QUERY
# Ends with status 0 if the instance is to be run: its files are there, and mucg4 starts. Nothing is
# converted beforehand, and no process of an earlier instance is left, since mucg4 waits for its own.
set -euo pipefail

[ "${1:-}" = v1 ] || { echo "prepare_instance.sh: expected version v1, got '${1:-}'" >&2; exit 1; }
[ $# -eq 4 ] || { echo "prepare_instance.sh: expected v1 CATEGORY NETWORK QUERY" >&2; exit 1; }
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# MUCG4 may say what to run instead of the installed program.
mucg4=("$root/.venv/bin/mucg4")
[ -z "${MUCG4:-}" ] || read -ra mucg4 <<< "$MUCG4"

for file in "$3" "$4"; do
    [ -r "$file" ] || { echo "prepare_instance.sh: $file cannot be read" >&2; exit 1; }
done
"${mucg4[@]}" --name > /dev/null
