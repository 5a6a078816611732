#!/bin/bash
# The creation of a session fails, hangs or is killed at every place where the sources say that
# it may (sessmgr/fault.h): StartCsr gets a status in time, and nothing is left.
#
#   tests/sm-faults.sh BUILD root|user     the service as root, or as an ordinary user
#
# As root, and released, all of them; otherwise one in four. MUSESS_EVERY=1: all.
export MUSESS_TEST_OUT=${MUSESS_TEST_OUT:-$1/tests-out/sm-faults-$2}
. "$(dirname "$0")/lib.sh" "$1"
. "$(dirname "$0")/sm-lib.sh"
mode=$2
sources=$(dirname "$0")/../sessmgr

# Where what fails is smss itself, which must neither hang nor be killed.
in_smss='session session-space subsystem-list connect-back fork-creator SmpExecuteImage create-process'

places() {
	grep -ohE '(fault|step)\("[A-Za-z-]+"' "$sources"/smss-*.c | cut -d'"' -f2 | sort -u
}

# kinds PLACE CREATION: what is being created (sessmgr/fault.h) when a session with an own
# subsystem comes by there; "any" is whatever comes first. Nothing: it does not come by.
kinds() {
	case $1-$2 in
	create-process-parallel) ;;
	initial-command-* | execute-initial-command-*) echo initial ;;
	SmpExecuteImage-* | order-parallel | clone-parallel | report-parallel)
		echo windows subsystem initial
		;;
	order-* | clone-* | report-*) echo subsystem initial ;; # csrss is smss's work
	suspended-* | released-* | execute-* | connect-back-* | subsystem-list-*)
		echo windows subsystem
		;;
	fork-creator-serial | creator-serial | join-* | subsystem-*) echo subsystem ;;
	*) echo any ;;
	esac
}

# hows PLACE CREATION: what can be tried there.
hows() {
	case " $in_smss " in *" $1 "*) echo fail && return ;; esac
	case $1-$2 in
	map-ids-serial) echo fail ;; # by smss itself, then
	*) echo fail hang kill ;;
	esac
}

arm() { # PLACE HOW KIND
	echo "$1 $2 ${3/any/}" >"$WORK/new-fault"
	chmod 644 "$WORK/new-fault"
	mv "$WORK/new-fault" "$WORK/bin/fault"
}

# What whoever asked is to be told. What fails has no memory, unless its end is all that there is
# to be known of it.
status_of_fault() { # PLACE HOW
	case $1-$2 in
	*-hang) echo STATUS_IO_TIMEOUT ;;
	creator-*) echo 'STATUS_UNSUCCESSFUL|STATUS_NO_MEMORY' ;; # its order may be on the way, or not
	*-kill | report-fail) echo STATUS_UNSUCCESSFUL ;;
	connect-back-*) echo 'STATUS_PORT_DISCONNECTED|STATUS_NO_MEMORY|STATUS_UNSUCCESSFUL' ;;
	*) echo STATUS_NO_MEMORY ;;
	esac
}

# starts_not PLACE HOW KIND: that fault, and no other, has StartCsr fail; nothing is left, and
# the next session is not touched by it. (A fault that nobody comes by has it succeed.)
starts_not() {
	local begin took status=0
	faults=$((faults + 1))
	begin=$(now_ms)
	arm "$@"
	musessctl start >"$WORK/out" 2>&1 || status=$?
	rm "$WORK/bin/fault"
	took=$(($(now_ms) - begin))
	[ $status = 1 ] && grep -qE "$(status_of_fault "$1" "$2")" "$WORK/out" ||
		fail "$*: status $status: $(cat "$WORK/out")"
	[ $took -lt $((due + 4500)) ] || fail "$*: it took $took ms"
	[ "$2" != hang ] || [ $took -ge $due ] || fail "$*: it had $took ms, and $due are its due"
	wait_until 5 same_traces || fail "$*: left: $(diff "$WORK/before" "$WORK/after")"
	start_session
	[ "$session" = 1 ] || fail "$*: its id is not free"
	musessctl stop 1
}

its_turn() {
	turn=$((turn + 1))
	[ $((turn % EVERY)) = 0 ]
}

every_fault() { # CREATION
	local place how kind
	for place in $(places); do
		for how in $(hows "$place" "$1"); do
			for kind in $(kinds "$place" "$1"); do
				! its_turn || starts_not "$place" "$how" "$kind"
			done
		done
	done
}

# One on demand fails alone: its session goes on, and loads it the next time.
deferred_fault() { # PLACE HOW
	local status=0
	faults=$((faults + 1))
	arm "$1" "$2" subsystem
	musessctl exec 1 -- true >"$WORK/out" 2>&1 || status=$?
	rm "$WORK/bin/fault"
	[ $status = 125 ] || fail "exec, $1 $2: status $status: $(cat "$WORK/out")"
	session_exists 1 || fail "exec, $1 $2: the session is gone"
	musessctl exec 1 -- true || fail "exec, $1 $2: the next one fails too"
}

# At every place that a subsystem comes by after csrss.
deferred_faults() {
	local place how
	for place in $(places); do
		[[ " $(kinds "$place" serial) " == *' subsystem '* ]] || continue
		for how in $(hows "$place" parallel); do
			its_turn || continue
			start_session --command 'sleep 1000'
			deferred_fault "$place" "$how"
			musessctl stop 1
			wait_until 5 same_traces ||
				fail "exec, $place $how: left: $(diff "$WORK/before" "$WORK/after")"
		done
	done
}

for place in $in_smss; do
	places | grep -qxF -- "$place" || fail "no place is called $place any more"
done
copy_programs
cp "$BUILD/bin/tests/musessd-faults" "$WORK/bin/musessd"
cp "$BUILD/bin/tests/sm-subsystem" "$WORK/bin/sm-subsystem"
chmod -R a+rX "$WORK/bin"
turn=0
EVERY=${MUSESS_EVERY-4} # coprime to the ways of failing
[ $mode-$sanitizer != root-no ] || EVERY=1
due=500 # ms
[ $sanitizer = no ] || due=2000
config+=("SubsystemTimeout = ${due}ms")
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
	remember_traces
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
remember_traces
for how in fail hang kill; do
	starts_not join "$how" initial # where there is no other subsystem, winlogon is the first
done
deferred_faults
stop_musess
echo "$((total + faults)) faults leave nothing"
