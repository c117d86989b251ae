#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_instance.sh VERSION CATEGORY NETWORK QUERY RESULTS TIMEOUT
# Writes sat, unsat, unknown, timeout or error to the file RESULTS, and after sat the assignment.
set -uo pipefail

[ "${1:-}" = v1 ] || { echo "run_instance.sh: expected version v1, got '${1:-}'" >&2; exit 1; }
[ $# -eq 6 ] || { echo "run_instance.sh: expected v1 CATEGORY NETWORK QUERY RESULTS TIMEOUT" >&2; exit 1; }
network=$3 query=$4 results=$5 limit=$6
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# MUCG4 may say what to run instead of the installed program.
mucg4=("$root/.venv/bin/mucg4")
[ -z "${MUCG4:-}" ] || read -ra mucg4 <<< "$MUCG4"

# A query in VNN-LIB 2.0 names its network; one in 1.0 does not, and any name will do.
if [ "${query##*.}" = gz ]; then text=$(gzip -dc -- "$query"); else text=$(cat -- "$query"); fi
name=$(sed -n 's/^[[:space:]]*([[:space:]]*declare-network[[:space:]]\{1,\}\([A-Za-z][A-Za-z0-9_]*\).*/\1/p' <<< "$text" | head -n 1)

answer=$(mktemp) || exit 1
trap 'rm -f -- "$answer"' EXIT
if "${mucg4[@]}" verify "$query" --network "${name:-network}=$network" --timeout "$limit" > "$answer"; then
    sed '1s/^timed-out$/timeout/' "$answer" > "$results"
else
    echo error > "$results"
    exit 1
fi
