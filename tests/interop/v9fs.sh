# What a guest does on one mount, with the shell alone. Its variables: V the dialect, NEAR the dialect of a
# second mount, AT the address of the test's server (first line says what it is to do), CLOSED a port there
# that nobody listens on, SHORT yes if a read returns what has come, OPTIONS of a mount for several users.
N=/n/net
m9 "$V" /n access=any,msize=1048576 || exit 1
m9 "$NEAR" /near access=any || exit 1

clone() {
    exec 3<>$N/tcp/clone
    c=$(dd bs=32 count=1 <&3 2>/dev/null)
}
dial() {
    clone
    echo -n "connect $AT" >&3 && exec 4<>$N/tcp/$c/data && echo "$1" >&4
}
hang_up() { exec 4>&- 3>&-; }

step listing
ls -l $N
step names
find $N/tcp
step stat
stat -c '%F %a %s %u' $N/tcp/clone $N/tcp $N/ndb
step ndb
cat $N/ndb
step stats
cat $N/tcp/stats

step cs
exec 5<>$N/cs
echo -n 'tcp!127.0.0.9!9fs' >&5
cat <&5
exec 5>&-
step no-service
exec 5<>$N/cs
echo -n 'tcp!127.0.0.9!nosuchservice' >&5
echo "status $?"
exec 5>&-
step dns
exec 5<>$N/dns
echo -n 'localhost ip' >&5
cat <&5
exec 5>&-

step dial
dial echo
echo -n hello >&4
dd bs=5 count=1 <&4 2>/dev/null
step status
cat $N/tcp/$c/status
step remote
cat $N/tcp/$c/remote
step local
cat $N/tcp/$c/local
step near
cat /near/net/tcp/$c/remote
exec 6<>/near/net/tcp/$c/data
echo -n again >&6
dd bs=5 count=1 <&6 2>/dev/null
exec 6>&-
step hangup
echo hangup > $N/tcp/$c/ctl
echo "status $?"
cat $N/tcp/$c/status
hang_up

step up
dial sink
dd if=/dev/urandom of=/tmp/sent bs=1M count=4 2>/dev/null
sha256sum < /tmp/sent
cat /tmp/sent >&4
echo -n 'shutdown write' > $N/tcp/$c/ctl
cat <&4
hang_up
step down
dial source
cat <&4 | sha256sum
hang_up

step not-blocking
dial held
/host/dd if=$N/tcp/$c/data iflag=nonblock bs=4096 count=1 2>/dev/null
echo
echo go >&4
cat <&4
hang_up
step whole
dial held
echo go >&4
dd bs=6 count=1 <&4 2>/dev/null
hang_up
if [ "$SHORT" = yes ]; then
    step short
    dial held
    dd bs=4096 count=1 <&4 2>/dev/null
    echo
    echo go >&4
    cat <&4
    hang_up
    step made-not-blocking
    dial held
    /host/dd iflag=nonblock,fullblock bs=4096 count=1 <&4 2>&1
    echo go >&4
    cat <&4
    hang_up
fi

step refused
clone
echo -n "connect 127.0.0.9!$CLOSED" >&3
echo "status $?"
step in-use
echo -n "connect 127.0.0.9!$CLOSED" >&3
step unknown
echo -n frob >&3
step not-announced
cat $N/tcp/$c/listen
exec 3>&-
step denied
mkdir $N/folder
rm $N/ndb
echo x > $N/ndb
step absent
cat $N/nothing
step guarded
clone
echo -n 'connect 169.254.169.254!80' >&3
exec 3>&-

step listen
dial call
exec 7<>$N/tcp/clone
a=$(dd bs=32 count=1 <&7 2>/dev/null)
echo -n 'announce 127.0.0.9!0' >&7
cut -d '!' -f 2 $N/tcp/$a/local >&4
exec 6<>$N/tcp/$a/listen
n=$(dd bs=32 count=1 <&6 2>/dev/null)
exec 8<>$N/tcp/$n/data
dd bs=6 count=1 <&8 2>/dev/null
echo 'and welcome' >&8
exec 8>&- 6>&- 7>&-
cat <&4
hang_up

step killed
dial held
dd bs=3 count=1 <&4 2>/dev/null
cat <&4 >/tmp/read &
reader=$!
until grep -q '^State:.D' /proc/$reader/status; do :; done
kill -9 $reader
wait $reader
echo " status $?"
echo go >&4
cat <&4
cat /tmp/read
hang_up

cat >/tmp/mine <<USER
cat /u/net/ndb
exec 3<>/u/net/tcp/clone
c=\$(dd bs=32 count=1 <&3 2>/dev/null)
echo \$c >/tmp/number
echo -n "connect $AT" >&3
stat -c %u /u/net/tcp/\$c/data
touch /tmp/ready
until [ -e /tmp/done ]; do sleep 0.1; done
exec 4<>/u/net/tcp/\$c/data
echo echo >&4
echo -n mine >&4
dd bs=4 count=1 <&4 2>/dev/null
USER
step other-user
m9 "$V" /u "access=user$OPTIONS" || exit 1
su glenda -c 'sh /tmp/mine' >/tmp/glenda 2>&1 &
until [ -e /tmp/ready ]; do sleep 0.1; done
su inferno -c "cat /u/net/tcp/$(cat /tmp/number)/data"
touch /tmp/done
wait
step user
cat /tmp/glenda

step busy
dial held
umount /n
echo "status $?"
umount -l /n
echo "status $?"
dd bs=3 count=1 <&4 2>/dev/null
hang_up
step console
dmesg | grep -e 'unknown error' -e 'bogus'
