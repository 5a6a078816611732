# bash completion for musessload. The options of run are its own word: `musessload --complete`
# prints a line for each, "--NAME=ARGUMENT"; what stands between '|' in an argument is a word,
# FILE a file's name.

# Adds the words that begin with what is typed.
_musessload_add() {
	local word
	for word; do
		if [[ $word == "$cur"* ]]; then
			COMPREPLY+=("$word")
		fi
	done
}

# Adds what the option $1 takes.
_musessload_argument() {
	local -a words
	case $1 in
	--until) _musessload_add connected first-picture shell ;;
	--end) _musessload_add disconnect logoff drop ;;
	*)
		if [[ ${arguments[$1]} == FILE ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		elif [[ ${arguments[$1]} == *"|"* ]]; then
			IFS='|' read -ra words <<<"${arguments[$1]}"
			_musessload_add "${words[@]}"
		fi
		;;
	esac
}

_musessload() {
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]-} line before
	local -A arguments=()
	local -a options=()
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		_musessload_add run report compare --help --version
		return
	fi
	if [[ $command != run ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	while IFS= read -r line; do
		options+=("${line%%=*}")
		[[ $line != *=* ]] || arguments[${line%%=*}]=${line#*=}
	done < <("${COMP_WORDS[0]}" --complete 2>/dev/null)
	before=${COMP_WORDS[COMP_CWORD - 1]}
	# bash makes three words of "--end=x"
	if [[ $cur == = ]]; then
		cur=
	elif [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $before in
	-u) ;;
	-p | -o) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*)
		if [[ $before == --* && ${arguments[$before]-} ]]; then
			_musessload_argument "$before"
		else
			_musessload_add "${options[@]}"
		fi
		;;
	esac
}

complete -o filenames -F _musessload musessload
