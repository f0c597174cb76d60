# A program of a room that does what its members write. Counts what it is told, so that a new process can be seen.
count=0
room=
say() { printf '%s\n' "$1"; }
all() { say "{\"type\":\"send\",\"to\":\"all\",\"text\":\"$1\"}"; }
while IFS= read -r line; do
    count=$((count + 1))
    member=${line#*'"member":'}
    member=${member%%[!0-9]*}
    text=${line#*'"text":"'}
    text=${text%%'"'*}
    case $line in
    '{"type":"init"'*)
        room=${line#*'"room":"'}
        room=${room%'"'*}
        ;;
    '{"type":"connect"'*) all "$member came to $room" ;;
    '{"type":"disconnect"'*) all "$member left" ;;
    '{"type":"timer"'*) all "timer" ;;
    '{"type":"tick"'*)
        say '{"type":"ticks","on":false}'
        all "tick"
        ;;
    '{"type":"error"'*) all "error: $text" ;;
    *'"binary":'*)
        binary=${line#*'"binary":"'}
        say "{\"type\":\"send\",\"to\":$member,\"binary\":\"${binary%%'"'*}\"}"
        ;;
    *)
        case $text in
        count) say "{\"type\":\"send\",\"to\":$member,\"text\":\"count $count\"}" ;;
        others) say "{\"type\":\"send\",\"to\":\"all\",\"except\":[$member],\"text\":\"from $member\"}" ;;
        crash) exit 3 ;;
        timer) say '{"type":"set_timer","name":"one","after_ms":1}' ;;
        tick) say '{"type":"ticks","on":true}' ;;
        kick) say "{\"type\":\"kick\",\"member\":$member,\"code\":4001,\"reason\":\"as asked\"}" ;;
        words)
            echo "to the log" >&2
            say '{"type":"log","level":"debug","text":"to the log too"}'
            ;;
        garbage)
            say "hello"
            say '{"type":"send","to":"all"}'
            say "{\"type\":\"kick\",\"member\":$member,\"code\":1}"
            printf '{"type":"log","text":"\377"}\n'
            ;;
        long)
            long=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            say "$long$long$long$long$long$long$long$long$long"
            ;;
        pids)
            sleep 1000 &
            all "pids $$ $!"
            ;;
        stop) while :; do sleep 1000; done ;;
        *) all "$text" ;;
        esac
        ;;
    esac
done
if [ -n "$LAST_WORDS" ]; then
    echo "$room" > "$LAST_WORDS"
fi
