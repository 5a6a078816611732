#!/bin/bash
# bash's completion of musessload's command line.
#
#   tests/load-completion.sh BUILD
set -euo pipefail
. "$(dirname "$0")/../tools/completion/musessload.bash"
load=$1/bin/musessload
cd "$(mktemp -d)"
trap 'rm -r "$PWD"' EXIT
touch file.jsonl

# completes WORDS WANT: the last of WORDS (lines) is completed to WANT.
completes() {
	mapfile -t COMP_WORDS <<<"$load"$'\n'"$1"
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_musessload
	[ "${COMPREPLY[*]}" = "$2" ] || {
		echo "FAILED: ${COMP_WORDS[*]}: ${COMPREPLY[*]}, not $2" >&2
		exit 1
	}
}
completes r 'run report'
completes $'run\n--stor' --storm
completes $'run\n--end\nd' 'disconnect drop'
completes $'run\n--until\n=\nsh' shell
completes $'run\n--security\n' 'nla tls'
completes $'run\n--out\nfi' file.jsonl
completes $'run\n-p\nfi' file.jsonl
completes $'run\n--rate\n' ''
completes $'report\nfi' file.jsonl
