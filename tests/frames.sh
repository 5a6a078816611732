#!/bin/bash
# Each function of the transcript's chain is one of its own in PROGRAM, called and not inlined.
#
#   tests/frames.sh PROGRAM
set -euo pipefail
functions=$(nm "$1" | sed -n 's/.* [tT] //p')
status=0
for function in SmpApiLoop SmpStartCsr SmpLoadSubSystemsForMuSession SmpExecuteCommand \
	SmpExecuteInitialCommand SmpLoadSubSystem SmpExecuteImage SmpStopCsr process_create; do
	grep -qx "$function" <<<"$functions" || {
		echo "FAILED: $1 has no function $function" >&2
		status=1
	}
done
exit $status
