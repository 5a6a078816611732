#!/bin/bash
# Every fuzzer for a while: libFuzzer's, and AFL++ on the session manager too. What they find
# stays in BUILD/tests-out/fuzz.
#
#   tests/fuzz.sh SOURCE BUILD
#
#   FUZZ_SECONDS=10   of each
set -euo pipefail
source=$(realpath "$1") build=$(realpath "$2")
seconds=${FUZZ_SECONDS-10}
out=$build/tests-out/fuzz
mkdir -p "$out"
work=$(mktemp -d /tmp/musess-fuzz.XXXXXX)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# configure NAME COMPILER TARGET...: builds in BUILD/NAME.
configure() {
	local directory=$build/$1 compiler=$2
	shift 2
	cmake -S "$source" -B "$directory" -DCMAKE_C_COMPILER="$compiler" -DMUSESS_TESTS=ON \
		-DMUSESS_FUZZ=ON >"$work/log" 2>&1 &&
		cmake --build "$directory" -j "$(nproc)" --target "$@" >>"$work/log" 2>&1 || {
		tail -n 30 "$work/log"
		fail "the fuzzers cannot be built"
	}
}

lib_fuzzers=(fuzz-smss fuzz-record fuzz-options fuzz-x224 fuzz-accounts fuzz-ntlm fuzz-penalty fuzz-line fuzz-event fuzz-results fuzz-script
	fuzz-terminal fuzz-draw fuzz-keymap fuzz-http fuzz-csrss fuzz-winlogon fuzz-psxss fuzz-rdpwd fuzz-termsrv)
configure fuzz clang-19 "${lib_fuzzers[@]}"
for fuzzer in "${lib_fuzzers[@]}"; do
	mkdir "$work/$fuzzer"
	[ ! -e "$source/tests/$fuzzer.seed" ] || cp "$source/tests/$fuzzer.seed" "$work/$fuzzer"
done
printf '%s\n' "${lib_fuzzers[@]}" | xargs -P "$(nproc)" -I '{}' sh -c 'cd "$1" &&
	"$2/fuzz/bin/tests/$0" -max_total_time="$3" -timeout=60 -max_len=2048 -close_fd_mask=2 "$4/$0" >"$0.log" 2>&1 ||
	touch "$4/$0.failed"' '{}' "$out" "$build" "$seconds" "$work"
for fuzzer in "${lib_fuzzers[@]}"; do
	[ ! -e "$work/$fuzzer.failed" ] || {
		grep -vE '^(#|musess:)' "$out/$fuzzer.log" | tail -n 40
		fail "$fuzzer, see above; its input is in $out"
	}
	echo "$fuzzer: $(grep '^Done' "$out/$fuzzer.log"), $(find "$work/$fuzzer" -type f | wc -l) inputs"
	[ "$(find "$work/$fuzzer" -type f | wc -l)" -gt 3 ] || fail "$fuzzer finds no way into the code"
done

# AFL++ begins with what libFuzzer found, and shall find none that ends the program.
configure fuzz-afl afl-clang-fast fuzz-smss-afl
mkdir "$work/seeds"
find "$work/fuzz-smss" -type f -size -2k | sed -n '1,200p' | xargs cp -t "$work/seeds"
AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 \
	AFL_QUIET=1 afl-fuzz -V "$seconds" -t 2000+ -i "$work/seeds" -o "$work/afl" -- \
	"$build/fuzz-afl/bin/tests/fuzz-smss-afl" >"$out/afl.log" 2>&1 ||
	{ tail -n 20 "$out/afl.log" && fail "afl-fuzz"; }
stats=$work/afl/default/fuzzer_stats
echo "fuzz-smss-afl: $(awk '/^execs_done/ { print $3 }' "$stats") runs"
[ "$(awk '/^execs_done/ { print $3 }' "$stats")" -gt 100 ] || fail "AFL++ made next to no runs"
mapfile -t crashes < <(find "$work/afl/default/crashes" -name 'id:*')
if [ ${#crashes[@]} -gt 0 ]; then
	cp "${crashes[@]}" "$out"
	fail "AFL++ found ${#crashes[@]} inputs that end smss: see $out"
fi
