#!/bin/bash
# Reads from the programs that are installed how they are hardened: from those of this build, and from
# some, linked in both ways, of each other build type that CMake has, of none that was named, and of a
# distribution's (None, with options of its own).
#
#   tests/hardening.sh SOURCE BUILD
set -euo pipefail
export LC_ALL=C
source=$(realpath "$1") build=$(realpath "$2")
all=(musessd csrss winlogon psxss lsass termsrv metricsd musessctl musessload)
static=(csrss winlogon psxss)
some=(winlogon psxss lsass)
work=$(mktemp -d /tmp/musess-hardening.XXXXXX)
trap 'rm -rf "$work"' EXIT
status=0

bad() {
	echo "FAILED: $*" >&2
	status=1
}

# has PROGRAM WHAT PATTERN COMMAND...: a line of COMMAND's output matches.
has() {
	local program=$1 what=$2 pattern=$3
	shift 3
	"$@" >"$work/output"
	grep -qE -- "$pattern" "$work/output" || bad "$program: $what"
}

# How the linker made it.
linked() {
	local name=${1##*/}
	has "$1" 'no PIE' 'FLAGS_1.*\<PIE\>' readelf -Wd "$1"
	has "$1" 'binds lazily' 'FLAGS_1.*\<NOW\>' readelf -Wd "$1"
	! grep -q TEXTREL "$work/output" || bad "$1: relocations in its code"
	has "$1" 'no RELRO' 'GNU_RELRO' readelf -Wl "$1"
	has "$1" 'an executable stack' 'GNU_STACK .* RW +0x' readelf -Wl "$1"
	! grep -E '\<LOAD .* RWE ' "$work/output" || bad "$1: memory to write to and to execute"
	if [[ " ${static[*]} " = *" $name "* ]]; then
		! grep -qw INTERP "$work/output" || bad "$1: it is not linked statically"
	else
		has "$1" 'it is linked statically' '\<INTERP\>' readelf -Wl "$1"
	fi
}

# What the compiler had for options: one line for each set of them. Those of smss's chain, -O0, are one.
compiled() {
	local options option
	readelf -Wp .GCC.command.line "$1" | sed -n 's/^ *\[.*\] *//p' >"$work/options"
	[ -s "$work/options" ] || bad "$1: it does not say how it was compiled"
	while read -r options; do
		for option in -fPIE -fstack-protector-strong -fstack-clash-protection "${cet[@]}"; do
			[[ " $options " = *" $option "* ]] || bad "$1: no $option in: $options"
		done
	done <"$work/options"
}

# That they had an effect. FORTIFY_SOURCE is no option that the compiler notes, and needs the optimizer.
effective() {
	has "$1" 'no stack protector' '\<__stack_chk_fail' readelf -Ws "$1"
	[[ $1 = */Debug/* ]] || has "$1" 'no FORTIFY_SOURCE' '\<__(v?snprintf|memcpy|strcpy|read|v?fprintf|memset|recv|poll)_chk' \
		readelf -Ws "$1"
	[ ${#cet[@]} = 0 ] || has "$1" 'no landing pad at main' '^ .*endbr' \
		objdump -d --no-show-raw-insn --disassemble=main "$1"
}

case $(uname -m) in
x86_64) cet=(-fcf-protection=full) ;;
*) cet=() ;;
esac
check() {
	linked "$1"
	compiled "$1"
	effective "$1"
}

for program in "${all[@]}"; do
	check "$build/bin/$program"
done
# build DIRECTORY TYPE [OPTION of CMake...]
build() {
	local directory=$work/$1 type=$2
	shift 2
	cmake -S "$source" -B "$directory" -DCMAKE_BUILD_TYPE="$type" "$@" >"$work/log" 2>&1 &&
		cmake --build "$directory" -j "$(nproc)" --target "${some[@]}" >>"$work/log" 2>&1 || {
		tail -n 30 "$work/log"
		bad "the build type '$type' cannot be built"
		return
	}
	for program in "${some[@]}"; do
		check "$directory/bin/$program"
	done
}

for type in Release MinSizeRel Debug; do
	build $type $type
done
build unnamed ''
build None None -DCMAKE_C_FLAGS=-O2
[ $status = 0 ] && echo "${#all[@]} programs are hardened, and ${#some[@]} each of five other build types"
exit $status
