#!/bin/bash
# Checks everything with clang-format, clang's warnings and clang-tidy, of version 19 on every release.
#
#   tests/style.sh SOURCE BUILD    (makes BUILD/clang)   MUSESS_TIDY=deep: the analyzer's whole depth
set -euo pipefail

source=$(realpath "$1") build=$(realpath "$2")/clang
cd "$source"
mapfile -t files < <(find config daemon sessmgr tests tools -name '*.[ch]' | sort)
status=0

# Not an end: whoever mends the format wants the rest of the list too.
clang-format-19 --dry-run -Werror "${files[@]}" || status=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake -S . -B "$build" -DCMAKE_C_COMPILER=clang-19 -DMUSESS_WERROR=ON -DMUSESS_TESTS=ON \
	-DMUSESS_FUZZ=ON >"$log" 2>&1; then
	cat "$log"
	exit 1
fi

# (clang-tidy compiles: clang's warnings are errors of its.) A source that no target compiles would
# be checked with guessed options.
for file in "${files[@]}"; do
	case $file in *.h) continue ;; esac
	grep -qF "\"file\": \"$source/$file\"" "$build/compile_commands.json" || {
		echo "$file: not built by any target" >&2
		status=1
	}
done
# tidy PATTERN [OPTION...]: the sources whose names match it.
tidy() {
	local pattern=$1
	shift
	printf '%s\0' "${files[@]}" | grep -zE "$pattern" |
		xargs -0 -n 1 -P "$(nproc)" nice -n 19 clang-tidy-19 --quiet -p "$build" "$@" || status=1
}

# A fortieth of the states that it would look at in a function take a sixth of the time (5 s and 32 s for
# smss-session.c).
depth=()
[ "${MUSESS_TIDY-}" = deep ] ||
	for word in -Xclang -analyzer-config -Xclang max-nodes=5000; do depth+=("--extra-arg=$word"); done
tidy '^(config|daemon|sessmgr|tools)/.*\.c$' "${depth[@]}"
tidy '^tests/.*\.c$' '--checks=-clang-analyzer-*' # what takes the longest: these are run instead
exit $status
