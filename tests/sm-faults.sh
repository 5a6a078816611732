#!/bin/bash
# The creation of a session fails, hangs or is killed at every place where the sources say that
# it may (sessmgr/fault.h): StartCsr gets a status in time, and nothing is left.
#
#   tests/sm-faults.sh BUILD root|user     the service as root, or as an ordinary user
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sm-faults-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2
sources=$(dirname "$0")/../sessmgr

# Where what fails is smss itself, which must neither hang nor be killed.
in_smss='session session-space subsystem-list connect-back fork-creator SmpExecuteImage'
# Those that one way of creating sessions does not come by.
parallel_only='' serial_only='create-process'

places() {
	grep -ohE '(fault|step)\("[A-Za-z-]+"' "$sources"/smss-*.c | cut -d'"' -f2 | sort -u
}

# hows PLACE CREATION: what can be tried there.
hows() {
	case " $in_smss " in *" $1 "*) echo fail && return ;; esac
	case $1-$2 in
	map-ids-serial | create-process-*) echo fail ;; # by smss itself, then
	*) echo fail hang kill ;;
	esac
}

passes_by() { # PLACE CREATION
	case $2 in
	parallel) [[ " $serial_only " != *" $1 "* ]] ;;
	serial) [[ " $parallel_only " != *" $1 "* ]] ;;
	esac
}

arm() { # PLACE HOW
	echo "$1 $2" >"$WORK/new-fault"
	chmod 644 "$WORK/new-fault"
	mv "$WORK/new-fault" "$WORK/bin/fault"
}

# starts_not PLACE HOW: that fault has StartCsr fail; a second session is not touched by it.
starts_not() {
	local begin status=0
	faults=$((faults + 1))
	begin=$(now_ms)
	arm "$1" "$2"
	musessctl start >"$WORK/out" 2>&1 || status=$?
	rm "$WORK/bin/fault"
	[ $status = 1 ] && grep -q 'STATUS_' "$WORK/out" ||
		fail "$1 $2: status $status: $(cat "$WORK/out")"
	[ $(($(now_ms) - begin)) -lt 5000 ] || fail "$1 $2: it took $(($(now_ms) - begin)) ms"
	wait_until 5 same_traces || fail "$1 $2: left: $(diff "$WORK/before" "$WORK/after")"
	start_session
	[ "$session" = 1 ] || fail "$1 $2: its id is not free"
	musessctl stop 1
}

every_fault() { # CREATION
	local place how
	for place in $(places); do
		passes_by "$place" "$1" || continue
		for how in $(hows "$place" "$1"); do
			starts_not "$place" "$how"
		done
	done
}

# One on demand fails alone: its session goes on, and loads it the next time.
deferred_fault() { # PLACE HOW
	local status=0
	faults=$((faults + 1))
	arm "$1" "$2"
	musessctl exec 1 -- true >"$WORK/out" 2>&1 || status=$?
	rm "$WORK/bin/fault"
	[ $status = 125 ] || fail "exec, $1 $2: status $status: $(cat "$WORK/out")"
	session_exists 1 || fail "exec, $1 $2: the session is gone"
	musessctl exec 1 -- true || fail "exec, $1 $2: the next one fails too"
}

deferred_faults() {
	local place how
	for place in creator order join report suspended released subsystem lock-in execute \
		fork-creator connect-back; do
		[ "$place" != lock-in ] || continue # csrss's alone
		for how in $(hows "$place" parallel); do
			start_session --command 'sleep 1000'
			deferred_fault "$place" "$how"
			musessctl stop 1
			wait_until 5 same_traces || fail "exec, $place $how: left: $(diff "$WORK/before" "$WORK/after")"
		done
	done
}

copy_programs
cp "$BUILD/bin/tests/musessd-faults" "$WORK/bin/musessd"
cp "$BUILD/bin/tests/sm-subsystem" "$WORK/bin/sm-subsystem"
chmod -R a+rX "$WORK/bin"
config+=('SubsystemTimeout = 500ms')
common=("${config[@]}")
total=0
for creation in parallel serial; do
	echo "== $creation"
	faults=0
	config=("${common[@]}" "SessionCreation = $creation" '[SubSystems]'
		'Required = Debug Windows Extra' 'Extra = sm-subsystem')
	start_service "$mode"
	start_session # what a first session alone leaves is no news
	musessctl stop 1
	traces >"$WORK/before"
	every_fault $creation
	stop_musess
	total=$((total + faults))
done
echo "== on demand"
faults=0
config=("${common[@]}")
start_service "$mode"
start_session
musessctl stop 1
traces >"$WORK/before"
deferred_faults
stop_musess
echo "$((total + faults)) faults leave nothing"
