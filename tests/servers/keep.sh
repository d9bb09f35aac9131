#!/bin/sh
# Runs a program for as long as somebody holds the standard input open: however the test ends, its server ends too.
# Says the program's process id first.
"$@" >&2 &
server=$!
echo "$server"
exec >/dev/null
read -r _
kill -TERM "$server" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$server" 2>/dev/null || exit 0
    sleep 0.1
done
# It waits for its connections, perhaps: they are not needed any more.
children=$(cat "/proc/$server/task/$server/children" 2>/dev/null)
# shellcheck disable=SC2086
kill -KILL "$server" $children 2>/dev/null
exit 0
