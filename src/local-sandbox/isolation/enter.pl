# Starts a command as the root of a sandbox that has 65,536 users of its own, whom the host doesn't know.
#
#   perl enter.pl ARCH FIRST DISK STAGING HOSTNAME STEP... -- COMMAND...
#
# ARCH is Node's word for the processor. FIRST is the host's uid (and gid) of the sandbox's root, whose files on the
# sandbox's disk belong to DISK. STAGING is an empty folder. fd 3 takes the pid of the sandbox's process 1, as JSON.
# The steps make the sandbox's file system:
#
#   disk SRC NAME                   SRC as STAGING/NAME, where ids from DISK on are the sandbox's from 0 on
#   system SRC NAME                 the same for ids from 0 on, read-only
#   overlay LOWER UPPER WORK DST    names in STAGING (LOWER: several with colons) on DST of the sandbox; / comes first
#   bind SRC DST, ro-bind SRC DST   SRC is in STAGING where it doesn't begin with a slash
#   proc DST, dev DST, tmpfs DST, dir DST
#
# In Perl, since no process with threads, as any of Node's has, may enter a user namespace; and not by bubblewrap, which
# rules out setuid programs. All namespaces but the users' belong to the host: root inside has no say over them.

use strict;
use warnings;

# Over files and processes of the sandbox's own users; none reaches a namespace, a device or a limit.
my @capabilities = qw(chown dac_override fowner fsetid kill setgid setuid setpcap setfcap sys_chroot sys_ptrace);

# Process 1: ends with the command, and takes leave of what other processes leave behind.
my $process_1 = 'exec 5<&0 </dev/null; "$@" <&5 5<&- & exec 4>&- 5<&-; wait $!';

my ($arch, $first, $disk, $staging, $hostname, @words) = @ARGV;
my ($mount, $umount2, $pivot_root, $unshare, $setns, $keyctl, $prctl) =
    @{ { x64 => [165, 166, 155, 272, 308, 250, 157], arm64 => [40, 39, 41, 97, 268, 219, 167] }->{$arch}
      // die "enter: no system calls known for $arch\n" };
my ($open_tree, $move_mount, $mount_setattr) = (428, 429, 442);
my ($RDONLY, $NOSUID, $NODEV, $NOEXEC, $REC, $PRIVATE) = (1, 2, 4, 8, 0x4000, 0x40000);
my ($NEWUSER, $NEWPID, $NEWNS_CGROUP_UTS_IPC_NET) = (0x10000000, 0x20000000, 0x4e020000);
my ($OPEN_TREE_CLONE, $MOVE_EMPTY_PATH, $ATTR_IDMAP, $EMPTY_PATH, $FDCWD) = (1, 4, 0x100000, 0x1000, -100);
my ($SET_DUMPABLE, $SET_SECUREBITS, $NO_SETUID_FIXUP) = (4, 28, 4);
my ($DETACH, $JOIN_SESSION_KEYRING, $SIOCSIFFLAGS, $IFF_UP) = (2, 1, 0x8914, 1);
my $nothing = '';

sub call {
    my ($what, $number, @args) = @_;
    my $result = syscall($number, @args);
    die "enter: $what: $!\n" if $result < 0;
    return $result;
}

sub put {
    my ($file, $text) = @_;
    open my $to, '>', $file or die "enter: $file: $!\n";
    defined syswrite $to, $text or die "enter: $file: $!\n";
}

sub await { sysread $_[0], my $byte, 1 or die "enter: the other process has ended\n" }

sub map_ids {
    my ($pid, $inside, $outside) = @_;
    put("/proc/$pid/$_", "$inside $outside 65536\n") for qw(uid_map gid_map);
}

sub become {
    my ($id) = @_;
    $( = $id; $) = "$id $id"; $< = $id; $> = $id;
    # The kernel has closed this process's files in /proc to its own kind then.
    call('dumpable', $prctl, $SET_DUMPABLE, 1, 0, 0, 0);
    die "enter: can't be uid $id\n" if $< != $id || $> != $id || "$( $)" ne "$id $id $id $id";
}

# The sandbox lives in the second of two user namespaces: nobody in it can change what the first one says, that there
# may be no third. Returns both, open; the processes that made them have ended then.
sub user_namespaces {
    pipe my $from_outer, my $to_parent or die "enter: $!\n";
    pipe my $from_parent, my $to_outer or die "enter: $!\n";
    my $outer = fork // die "enter: fork: $!\n";
    make_user_namespaces($to_parent, $from_parent, close $to_outer) if !$outer;
    close $to_parent;
    await($from_outer);
    map_ids($outer, $disk, $first);
    syswrite $to_outer, '1';
    my $inner = readline $from_outer // die "enter: there is no second user namespace\n";
    chomp $inner;
    my @namespaces = map { open my $fd, '<', "/proc/$_/ns/user" or die "enter: $!\n"; $fd } $outer, $inner;
    close $to_outer;
    waitpid $outer, 0;
    return @namespaces;
}

sub make_user_namespaces {
    my ($to_parent, $from_parent) = @_;
    call('user namespace', $unshare, $NEWUSER);
    syswrite $to_parent, '1';
    await($from_parent);
    become($disk);
    put('/proc/sys/user/max_user_namespaces', "1\n");
    pipe my $from_inner, my $to_outer or die "enter: $!\n";
    my $inner = fork // die "enter: fork: $!\n";
    if ($inner) {
        close $to_outer;
        await($from_inner);
        map_ids($inner, 0, $disk);
        syswrite $to_parent, "$inner\n";
    } else {
        call('second user namespace', $unshare, $NEWUSER);
        syswrite $to_outer, '1';
    }
    sysread $from_parent, my $end, 1;
    waitpid $inner, 0 if $inner;
    exit;
}

# A mount of its own of what is at SRC, without what is mounted below it.
sub attach {
    my ($src, $dst, $flags, $namespace) = @_;
    my $fd = call("open $src", $open_tree, $FDCWD, $src, $OPEN_TREE_CLONE);
    open my $tree, '<&=', $fd or die "enter: $!\n";
    my $attributes = pack 'Q4', $namespace ? ($flags | $ATTR_IDMAP, 0, 0, fileno $namespace) : ($flags, 0, 0, 0);
    call("attributes of $src", $mount_setattr, $fd, $nothing, $EMPTY_PATH, $attributes, length $attributes);
    call("mount on $dst", $move_mount, $fd, $nothing, $FDCWD, $dst, $MOVE_EMPTY_PATH);
}

sub mount_new {
    my ($type, $dst, $flags, $options) = @_;
    call("mount $type on $dst", $mount, $type, $dst, $type, $flags, $options);
}

sub devices {
    my ($dev) = @_;
    mount_new('tmpfs', $dev, $NOSUID | $NOEXEC, 'mode=755,size=64k');
    for my $name (qw(null zero full random urandom tty)) {
        put("$dev/$name", '');
        attach("/dev/$name", "$dev/$name", $NOSUID | $NOEXEC);
    }
    mkdir "$dev/$_" for qw(pts shm);
    mount_new('devpts', "$dev/pts", $NOSUID | $NOEXEC, 'newinstance,ptmxmode=0666,mode=620');
    mount_new('tmpfs', "$dev/shm", $NOSUID | $NODEV, 'mode=1777');
    my %links = (ptmx => 'pts/ptmx', fd => '/proc/self/fd', core => '/proc/kcore');
    @links{qw(stdin stdout stderr)} = map { "/proc/self/fd/$_" } 0 .. 2;
    symlink $links{$_}, "$dev/$_" or die "enter: $!\n" for keys %links;
}

# Names are relative to the staging folder all along, so no path has to be escaped for overlays.
sub file_system {
    my ($outer, $inner, @steps) = @_;
    my $layer = sub {
        my ($src, $name, $flags, $namespace) = @_;
        mkdir $name;
        attach($src, $name, $flags | $NODEV, $namespace);
    };
    my %does = (
        disk    => [2, sub { $layer->(@_, 0, $outer) }],
        system  => [2, sub { $layer->(@_, $RDONLY, $inner) }],
        overlay => [4, sub {
            my ($lower, $upper, $work, $dst) = @_;
            my $folders = "lowerdir=$lower,upperdir=$upper,workdir=$work";
            mount_new('overlay', "root$dst", $NODEV, "$folders,redirect_dir=off,index=off,metacopy=off");
        }],
        'bind'    => [2, sub { attach($_[0], "root$_[1]", $NODEV) }],
        'ro-bind' => [2, sub { attach($_[0], "root$_[1]", $NODEV | $NOSUID | $RDONLY) }],
        proc  => [1, sub { mount_new('proc', "root$_[0]", $NOSUID | $NODEV | $NOEXEC, $nothing) }],
        dev   => [1, sub { devices("root$_[0]") }],
        tmpfs => [1, sub { mount_new('tmpfs', "root$_[0]", $NOSUID | $NODEV, 'mode=755') }],
        dir   => [1, sub { mkdir "root$_[0]" or die "enter: $_[0]: $!\n" }],
    );
    # What this process makes is the sandbox's root's, and so is what overlays make; capabilities stay the host's.
    call('securebits', $prctl, $SET_SECUREBITS, $NO_SETUID_FIXUP, 0, 0, 0);
    $) = $first; $> = $first;
    call('private mounts', $mount, $nothing, '/', $nothing, $REC | $PRIVATE, $nothing);
    mount_new('tmpfs', $staging, $NODEV, 'mode=700');
    chdir $staging and mkdir 'root' and chmod 0755, 'root' or die "enter: $staging: $!\n";
    while (@steps) {
        my $word = shift @steps;
        my ($count, $do) = @{ $does{$word} // die "enter: there is no step '$word'\n" };
        $do->(splice @steps, 0, $count);
    }
    chdir 'root' or die "enter: root: $!\n";
    call('pivot_root', $pivot_root, my $new = '.', my $old = '.');
    call('umount', $umount2, $old, $DETACH);
    chdir '/' or die "enter: $!\n";
}

# Low ports are everybody's, since the network isn't root's.
sub network {
    socket my $socket, 2, 2, 0 or die "enter: socket: $!\n";
    ioctl $socket, $SIOCSIFFLAGS, pack 'a16 s x14', 'lo', $IFF_UP or die "enter: lo: $!\n";
    put('/proc/sys/net/ipv4/ip_unprivileged_port_start', "0\n");
}

my ($end) = grep { $words[$_] eq '--' } 0 .. $#words;
my @steps = @words[0 .. $end - 1];
my @command = @words[$end + 1 .. $#words];
my ($outer, $inner) = user_namespaces();
call('namespaces', $unshare, $NEWPID | $NEWNS_CGROUP_UTS_IPC_NET);
pipe my $wait, my $go or die "enter: $!\n";
open my $info, '>&=', 3 or die "enter: fd 3: $!\n";
my $pid = fork // die "enter: fork: $!\n";
if ($pid) {
    syswrite $info, qq({"child-pid":$pid}\n);
    syswrite $go, '1';
    open STDIN, '<', '/dev/null';
    # The command's alone: its end is to be seen.
    open my $state, '>&=', 4 or die "enter: fd 4: $!\n";
    close $state;
    waitpid $pid, 0;
    exit($? >> 8);
}
close $info;
await($wait);
close $wait;
close $go;
network();
put('/proc/sys/kernel/hostname', $hostname);
file_system($outer, $inner, @steps);
call('keyring', $keyctl, $JOIN_SESSION_KEYRING, 0);
call('entering the user namespace', $setns, fileno $inner, $NEWUSER);
become(0);
my @privileges = ('--inh-caps=-all', '--bounding-set=' . join ',', '-all', map { "+$_" } @capabilities);
exec 'setpriv', @privileges, 'sh', '-c', $process_1, 'sh', @command or die "enter: setpriv: $!\n";
