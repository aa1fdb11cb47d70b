# Owns one PostgreSQL server for a test process, and never outlives it: once the process is
# gone, however it went, its end of the pipe is closed, `read` fails, and the server and its
# directory go too.
#
#   $1      the directory, removed at the end
#   $2 ...  the command that runs the server, without its port
#
# Commands on stdin: `start PORT`, `stop`, `kill`, each answered by a line. `alive` asks.
directory=$1
shift
pid=
# A Ctrl-C is for the test process; this one has to clean up after it.
trap '' INT TERM HUP

alive() {
    [ -n "$1" ] && grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"
}

# Sends signal $1 to the server, and where $2 says `all` to its children as well, and waits
# until none of them is left.
end() {
    [ -n "$pid" ] || return 0
    family=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
    if [ "$2" = all ]; then
        kill "-$1" "$pid" $family 2>/dev/null
    else
        kill "-$1" "$pid" 2>/dev/null
    fi
    wait "$pid" 2>/dev/null
    for member in $family; do
        tries=0
        while alive "$member" && [ "$tries" -lt 100 ]; do
            sleep 0.02
            tries=$((tries + 1))
        done
    done
    pid=
}

while read -r word port; do
    case $word in
    start)
        "$@" -p "$port" >>"$directory/log" 2>&1 </dev/null &
        pid=$!
        ;;
    stop) end INT ;;
    kill) end KILL all ;;
    esac
    if alive "$pid"; then echo running; else echo stopped; fi
done

end QUIT
rm -rf "$directory"
