# bash completion for musessctl. The words are musessctl's own: `musessctl --complete` prints a
# line for each command, "NAME:OPERAND:OPTIONS", the first one for options that every command
# takes. What stands between '|' in an operand, or behind '=' in an option, is a kind in
# capitals, for which there is a function below, or a word.

# Adds the lines that begin with what is typed, quoted as the command line needs them: a name is
# never expanded.
_musessctl_add() {
	local word quoted
	while IFS= read -r word; do
		printf -v quoted %q "$word"
		if [[ $word == "$cur"* || $quoted == "$cur"* ]]; then
			COMPREPLY+=("$quoted")
		fi
	done
}

# The columns of `musessctl list`: ids, session names or users. Of the listener there is nothing
# to name, and a user that was cut is none.
_musessctl_sessions() {
	local line row id text LC_ALL=C.UTF-8
	while IFS= read -r line; do
		row=${line:0:46} id=${row##* }
		[[ $id =~ ^[0-9]+$ && $id -lt 65536 ]] || continue
		case $1 in
		ID) text=$id ;;
		SESSIONNAME) text=${line:1:17} ;;
		USER) text=${row% *} text=${text:19} ;;
		esac
		text=${text%"${text##*[! ]}"}
		[[ ! $text || ($1 == USER && $((${#text} + ${#id})) -ge 26) ]] || printf '%s\n' "$text"
	done < <("${musessctl[@]}" list 2>/dev/null) | sort -u
}

# Adds what is of the kind $1.
_musessctl_kind() {
	case $1 in
	ID | SESSIONNAME | USER) _musessctl_add < <(_musessctl_sessions "$1") ;;
	ACCOUNT) _musessctl_add < <("${musessctl[@]}" account list 2>/dev/null) ;;
	FILE | PATH) _musessctl_add < <(compgen -f -- "$cur") ;;
	*[[:upper:]]*) ;; # a number or a text: nobody knows which
	?*) _musessctl_add <<<"$1" ;;
	esac
}

# Adds the names of the commands, the second word of those whose first is $1.
_musessctl_commands() {
	local name
	for name in "${!operands[@]}"; do
		if [[ $1 && $name == "$1 "* ]]; then
			printf '%s\n' "${name#* }"
		elif [[ ! $1 ]]; then
			printf '%s\n' "${name%% *}"
		fi
	done | sort -u
}

# Sets operands and options by the commands' names, arguments by options, and general.
_musessctl_table() {
	local name operand taken option
	while IFS=: read -r name operand taken; do
		for option in $taken; do
			[[ $option != *=* ]] || arguments[${option%%=*}]=${option#*=}
		done
		if [[ $name ]]; then
			operands[$name]=$operand options[$name]=$taken
		else
			general=$taken
		fi
	done < <("${musessctl[@]}" --complete 2>/dev/null)
}

# Sets words, without options, up to what is typed, and kind where that is an option's argument.
# bash makes three words of "--dest=x". Fails behind "--": what follows is a command of its own.
_musessctl_words() {
	local i next word
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word != -- ]] || return 1
		if [[ $word != -* ]]; then
			words+=("$word")
		elif [[ ${arguments[$word]-} ]]; then
			next=$((i + 1))
			if [[ ${COMP_WORDS[next]} == = ]] && ((next < COMP_CWORD)); then
				((++next))
			fi
			if ((next == COMP_CWORD)); then
				kind=${arguments[$word]}
			elif [[ $word == --socket ]]; then
				musessctl+=(--socket "${COMP_WORDS[next]}")
			fi
			i=$next
		fi
	done
}

_musessctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} general='' kind='' command='' operand
	local -a words=() kinds=() musessctl=("${COMP_WORDS[0]}")
	local -A operands=() options=() arguments=()
	COMPREPLY=()

	_musessctl_table
	[[ $cur != = ]] || cur=
	_musessctl_words || return 0
	for command in "${words[0]-} ${words[1]-}" "${words[0]- }" ""; do
		[[ ! $command || ! ${operands[$command]+known} ]] || break
	done
	operand=${operands[${command:- }]-}
	if [[ $kind ]]; then
		_musessctl_kind "$kind"
	elif [[ $cur == -* ]]; then
		for kind in ${options[${command:- }]-} $general; do
			_musessctl_add <<<"${kind%%=*}"
		done
	elif [[ ! $command ]]; then
		((${#words[@]} > 1)) || _musessctl_add < <(_musessctl_commands "${words[0]-}")
	elif [[ ${words[*]} == "$command" ]]; then
		operand=${operand#[} operand=${operand%]}
		IFS='|' read -ra kinds <<<"$operand"
		for kind in "${kinds[@]}"; do
			_musessctl_kind "$kind"
		done
	fi
}

complete -F _musessctl musessctl
