"""Attempts to get out of a contained process: each is the body of a function that returns what it got, if it got anything.

`P` is what was planted outside: paths of secrets, ports of servers, the number of the parent process. Attempts that take a
process down, or that would do harm where nothing contains them, stand apart.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

CANARY = "CANARY-9f1c7e"


class Attempt(Struct, frozen=True):
    """One attempt; `real`: where nothing contains it, it gets something as root on Linux, and does no harm."""

    body: str
    real: bool = False


def _read(expression: str) -> Attempt:
    return Attempt(f"return {expression}", real=True)


def _call(number: int, *arguments: str) -> Attempt:
    given = ", ".join(arguments)
    return Attempt(f"r = L.syscall({number}{', ' + given if given else ''})\nreturn r if r >= 0 else None")


READING = {
    "open": _read("open(P['secret']).read()"),
    "os.open": _read("os.read(os.open(P['secret'], os.O_RDONLY), 99)"),
    "pathlib": _read("pathlib.Path(P['secret']).read_text()"),
    "FileIO": _read("io.FileIO(P['secret']).read()"),
    "mmap": _read("bytes(mmap.mmap(os.open(P['secret'], os.O_RDONLY), 0, prot=mmap.PROT_READ))"),
    "linecache": _read("linecache.getlines(P['secret'])"),
    "loader": _read("importlib.machinery.SourceFileLoader('x', P['secret']).get_data(P['secret'])"),
    "relative path": _read("open('../' * 30 + P['secret'].lstrip('/')).read()"),
    "proc root": _read("open('/proc/self/root' + P['secret']).read()"),
    "proc root of 1": _read("open('/proc/1/root' + P['secret']).read()"),
    "proc cwd": _read("open('/proc/self/cwd/' + '../' * 30 + P['secret'].lstrip('/')).read()"),
    "exists": _read("os.path.exists(P['secret'])"),
    "stat": _read("os.stat(P['secret']).st_size"),
    "statx": Attempt("b = C.create_string_buffer(256)\nreturn L.syscall(332, -100, P['secret'].encode(), 0, 4095, b) == 0", True),
    "list data": _read("os.listdir(os.path.dirname(P['secret']))"),
    "walk": _read("[f for _, _, f in os.walk(os.path.dirname(P['secret']))]"),
    "glob": _read("glob.glob(os.path.dirname(P['secret']) + '/*')"),
    "scandir home": _read("[e.name for e in os.scandir('/home')] + [e.name for e in os.scandir('/var')]"),
    "passwd": _read("open('/etc/passwd').read()"),
    "shadow": _read("open('/etc/shadow').read()"),
    "hosts": _read("open('/etc/hosts').read()"),
    "pwd": _read("pwd.getpwnam('root').pw_dir"),
    "environ": _read("os.environ.get('PLANTED_KEY')"),
    "proc environ": _read("CANARY in open('/proc/self/environ').read()"),
    "environ of the parent": _read("open(f'/proc/{P[\"parent\"]}/environ').read()"),
    "environ of 1": _read("open('/proc/1/cmdline').read()"),
    "memory of the parent": _read("open(f'/proc/{P[\"parent\"]}/mem', 'rb')"),
    "maps of the parent": _read("open(f'/proc/{P[\"parent\"]}/maps').read()"),
    "descriptors of the parent": _read("os.listdir(f'/proc/{P[\"parent\"]}/fd')"),
    "mounts": _read("open('/proc/self/mounts').read()"),
    "sys": _read("os.listdir('/sys')"),
    "dev": _read("os.listdir('/dev')"),
    "boot": _read("os.listdir('/boot') or 'empty'"),
    "run": _read("os.listdir('/run')"),
    "kernel log": Attempt("b = C.create_string_buffer(999)\nreturn L.syscall(103, 3, b, 999) > 0", True),
    "C open": _read("(lambda d: os.read(d, 99) if d >= 0 else None)(L.open(P['secret'].encode(), 0))"),
    "openat": Attempt("d = L.syscall(257, -100, P['secret'].encode(), 0, 0)\nreturn os.read(d, 99) if d >= 0 else None", True),
    "openat2": Attempt(
        "h = struct.pack('QQQ', 0, 0, 0)\nd = L.syscall(437, -100, P['secret'].encode(), h, 24)\n"
        "return os.read(d, 99) if d >= 0 else None",
        True,
    ),
    "sqlite": _read("sqlite3.connect('file:' + P['database'] + '?mode=ro', uri=True).execute('select t from s').fetchall()"),
    "zip import": _read("zipimport.zipimporter(P['zip']).get_data('inside.txt')"),
    "sys.path": Attempt("sys.path.insert(0, os.path.dirname(P['secret']))\nimport planted_module\nreturn planted_module.X", True),
    "our packages": Attempt("sys.path.insert(0, P['project'])\nimport events.task\nreturn events.task.__file__", True),
    "settings": _read("open(P['project'] + '/pyproject.toml').read()"),
    "inherited descriptor": _read("os.pread(P['descriptor'], 99, 0)"),
    "all descriptors": Attempt(
        "for d in range(3, 300):\n    try:\n        got = os.pread(d, 99, 0)\n"
        "    except OSError:\n        continue\n    if got:\n        return got"
    ),
    "frames": Attempt(
        "f = sys._getframe()\nwhile f:\n    if CANARY in repr(f.f_globals.get('told', '')):\n        return 1\n    f = f.f_back"
    ),
    "file given beyond": _read("open('/in/../..' + P['secret']).read()"),
    "symlink": Attempt("os.symlink(P['secret'], '/in/link')\nreturn open('/in/link').read()"),
    "hard link": Attempt("os.link(P['secret'], '/in/hard')\nreturn open('/in/hard').read()"),
    "chroot": Attempt("os.chroot('/usr')\nreturn 1"),
    "handle": Attempt(
        "b = C.create_string_buffer(struct.pack('Ii', 64, 0), 128)\nreturn L.syscall(303, -100, b'/', b, b, 0) == 0"
    ),
}

WRITING = {
    "root": Attempt("open('/x', 'w')\nreturn 1"),
    "tmp": Attempt("open('/tmp/' + CANARY, 'w').write('x')\nreturn 1"),
    "in": Attempt("open('/in/x', 'w')\nreturn 1"),
    "cwd": Attempt("open('x', 'w')\nreturn 1"),
    "shm": Attempt("open('/dev/shm/x', 'w')\nreturn 1"),
    "tempfile": Attempt("tempfile.TemporaryFile().write(b'x')\nreturn 1"),
    "secret": Attempt("open(P['secret'], 'a').write('x')\nreturn 1"),
    "library": Attempt("open(os.__file__, 'a')\nreturn 1"),
    "truncate": Attempt("os.truncate(os.__file__, 0)\nreturn 1"),
    "mkdir": Attempt("os.mkdir('/in/d')\nreturn 1"),
    "fifo": Attempt("os.mkfifo('/in/f')\nreturn 1"),
    "device": Attempt("os.mknod('/in/n', 0o666 | 0o020000, os.makedev(1, 3))\nreturn 1"),
    "unlink": Attempt("os.unlink(os.__file__)\nreturn 1"),
    "rename": Attempt("os.rename(os.__file__, os.__file__ + 'x')\nreturn 1"),
    "chmod": Attempt("os.chmod(os.__file__, 0o777)\nreturn 1"),
    "times": Attempt("os.utime(os.__file__)\nreturn 1"),
    "extended attribute": Attempt("os.setxattr(os.__file__, 'user.x', b'x')\nreturn 1"),
    "memory file": Attempt("return os.memfd_create('x')"),
    "shared memory": Attempt("from multiprocessing.shared_memory import SharedMemory\nSharedMemory('x', True, 99)\nreturn 1"),
    "bytecode": Attempt("import py_compile\npy_compile.compile(os.__file__, cfile='/in/x.pyc', doraise=True)\nreturn 1"),
    "sysv": Attempt("r = L.shmget(0, 1 << 20, 0o1666)\nreturn r if r >= 0 else None"),
    "queue": Attempt("r = L.syscall(240, b'x', 66, 0o600, None)\nreturn r if r >= 0 else None"),
}

NETWORK = {
    "tcp": Attempt("socket.create_connection(('127.0.0.1', P['port']), 1)\nreturn 1", True),
    "tcp 6": Attempt("socket.socket(socket.AF_INET6)\nreturn 1"),
    "udp": Attempt("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', P['port']))\nreturn 1", True),
    "unix": Attempt("s = socket.socket(socket.AF_UNIX)\ns.connect(P['unix'])\nreturn 1", True),
    "abstract": Attempt("s = socket.socket(socket.AF_UNIX)\ns.connect('\\0' + P['abstract'])\nreturn 1", True),
    "netlink": Attempt("socket.socket(16, socket.SOCK_RAW, 0)\nreturn 1", True),
    "raw": Attempt("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nreturn 1"),
    "packet": Attempt("socket.socket(17, socket.SOCK_RAW)\nreturn 1"),
    "vsock": Attempt("socket.socket(40, socket.SOCK_STREAM)\nreturn 1"),
    "crypto": Attempt("socket.socket(38, 5)\nreturn 1"),
    "pair": Attempt("socket.socketpair()\nreturn 1", True),
    "listen": Attempt("s = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\nreturn 1", True),
    "urllib": Attempt("return urllib.request.urlopen(f'http://127.0.0.1:{P[\"port\"]}/', timeout=1)"),
    "resolve": Attempt("return socket.getaddrinfo('example.com', 80)"),
    "C socket": Attempt("d = L.socket(2, 1, 0)\nreturn d if d >= 0 else None", True),
    "io_uring": Attempt("b = C.create_string_buffer(120)\nd = L.syscall(425, 4, b)\nreturn d if d >= 0 else None"),
    "asyncio": Attempt("asyncio.run(asyncio.sleep(0))\nreturn 1", True),
    "name service": Attempt("return socket.gethostbyname('localhost')", True),
}

PROCESSES = {
    "fork": Attempt("p = os.fork()\nif p == 0:\n    os._exit(0)\nreturn p", True),
    "vfork": Attempt("p = L.syscall(57)\nif p == 0:\n    os._exit(0)\nreturn p if p > 0 else None", True),
    "clone": Attempt("p = L.syscall(56, 17, 0, 0, 0, 0)\nif p == 0:\n    os._exit(0)\nreturn p if p > 0 else None", True),
    "clone3": Attempt(
        "h = struct.pack('8Q', 0, 0, 0, 0, 17, 0, 0, 0)\np = L.syscall(435, h, 64)\nif p == 0:\n    os._exit(0)\n"
        "return p if p > 0 else None",
        True,
    ),
    "subprocess": Attempt("return subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout", True),
    "system": Attempt("return os.system('true') == 0", True),
    "popen": Attempt("return os.popen('echo x').read()", True),
    "spawn": Attempt("return os.posix_spawn('/bin/true', ['true'], {})", True),
    "exec": Attempt("os.execv('/bin/echo', ['echo', 'ESCAPED'])"),
    "exec the interpreter": Attempt("os.execv(sys.executable, [sys.executable, '-c', 'print(\"ESCAPED\")'])"),
    "loader as program": Attempt("os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/echo', 'ESCAPED'])"),
    "execveat": _call(322, "-100", "b'/bin/true'", "None", "None", "0"),
    "multiprocessing": Attempt("import multiprocessing as m\np = m.Process(target=print)\np.start()\nreturn p.pid"),
    "pty": Attempt("import pty\np, d = pty.fork()\nif p == 0:\n    os._exit(0)\nreturn p"),
}

KERNEL = {
    "ptrace the parent": Attempt("return L.syscall(101, 16, P['parent'], 0, 0) == 0"),
    "traced by the parent": Attempt("return L.syscall(101, 0, 0, 0, 0) == 0"),
    "read the parent's memory": Attempt(
        "b = C.create_string_buffer(8)\nv = struct.pack('QQ', C.addressof(b), 8)\n"
        "return L.syscall(310, os.getpid(), v, 1, v, 1, 0) > 0",
        True,
    ),
    "user namespace": Attempt("return L.unshare(0x10000000) == 0"),
    "mount namespace": Attempt("return L.unshare(0x20000) == 0"),
    "join a namespace": _call(308, "0", "0"),
    "mount": Attempt("return L.mount(b'tmpfs', b'/in', b'tmpfs', 0, None) == 0"),
    "mount proc": Attempt("return L.mount(b'proc', b'/in', b'proc', 0, None) == 0"),
    "new mount calls": Attempt("d = L.syscall(430, b'tmpfs', 0)\nreturn d if d >= 0 else None", True),
    "open tree": Attempt("d = L.syscall(428, -100, b'/', 1)\nreturn d if d >= 0 else None"),
    "unmount": Attempt("return L.umount2(b'/usr', 2) == 0"),
    "writable again": Attempt("return L.mount(None, b'/', None, 32 | 4096, None) == 0"),
    "pivot": _call(155, "b'.'", "b'.'"),
    "bpf": Attempt("b = C.create_string_buffer(128)\nd = L.syscall(321, 0, b, 128)\nreturn d if d >= 0 else None"),
    "performance counters": Attempt(
        "b = C.create_string_buffer(128)\nd = L.syscall(298, b, 0, -1, -1, 0)\nreturn d if d >= 0 else None"
    ),
    "keys": Attempt("r = L.syscall(248, b'user', b'x', b'y', 1, -3)\nreturn r if r >= 0 else None"),
    "key control": Attempt("r = L.syscall(250, 0, -3, 0)\nreturn r if r >= 0 else None"),
    "page faults": Attempt("d = L.syscall(323, 0)\nreturn d if d >= 0 else None"),
    "modules": _call(175, "b'x'", "1", "b''"),
    "become root": Attempt("os.setuid(0)\nreturn 1"),
    "groups": Attempt("os.setgroups([0])\nreturn 1"),
    "capabilities": Attempt("return L.syscall(126, (C.c_uint32 * 2)(0x20080522, 0), (C.c_uint32 * 6)(*[0xFFFFFFFF] * 6)) == 0"),
    "another filter": Attempt("h = struct.pack('H6xQ', 0, 0)\nreturn L.syscall(317, 1, 0, h) == 0"),
    "attributes": Attempt("return L.prctl(4, 1, 0, 0, 0) == 0", True),
    "outlive the parent": Attempt("return L.prctl(1, 0, 0, 0, 0) == 0", True),
    "new session": Attempt("return os.setsid()"),
    "ports of the machine": _call(172, "3"),
    "personality": _call(135, "0xFFFFFFFF"),
    "host name": Attempt("return L.sethostname(b'x', 1) == 0"),
    "clock": Attempt("return L.syscall(227, 0, struct.pack('QQ', 0, 0)) == 0"),
    "terminal input": Attempt("return L.ioctl(1, 0x5412, b'x') == 0"),
    "owner of a descriptor": Attempt("r, w = os.pipe()\nreturn fcntl.fcntl(r, fcntl.F_SETOWN, P['parent']) == 0"),
    "pipe size": Attempt("r, w = os.pipe()\nreturn fcntl.fcntl(w, 1031, 1 << 20)", True),
    "more memory": Attempt("resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nreturn 1"),
    "more time": Attempt("resource.setrlimit(resource.RLIMIT_CPU, (9999, 9999))\nreturn 1"),
    "limits of the parent": Attempt("return resource.prlimit(P['parent'], resource.RLIMIT_NOFILE)", True),
}

SIGNALS = {
    "parent": Attempt("os.kill(os.getppid(), 0)\nreturn 1", True),
    "who started it": Attempt("os.kill(P['parent'], 0)\nreturn 1", True),
    "init": Attempt("os.kill(1, 0)\nreturn 1"),
    "everybody": Attempt("os.kill(-1, 0)\nreturn 1"),
    "group": Attempt("os.killpg(0, 0)\nreturn 1", True),
    "thread of another": Attempt("return L.syscall(234, P['parent'], P['parent'], 0) == 0", True),
    "queue": Attempt("return L.sigqueue(P['parent'], 0, 0) == 0", True),
    "process descriptor": Attempt("d = L.syscall(434, P['parent'], 0)\nreturn d if d >= 0 else None", True),
    "priority": Attempt("os.setpriority(os.PRIO_PROCESS, P['parent'], 19)\nreturn 1"),
    "scheduler": Attempt("return L.sched_setaffinity(P['parent'], 8, b'\\1' + b'\\0' * 7) == 0"),
}

QUIET: Mapping[str, Attempt] = {
    f"{family}: {name}": attempt
    for family, attempts in (
        ("read", READING), ("write", WRITING), ("network", NETWORK),
        ("process", PROCESSES), ("kernel", KERNEL), ("signal", SIGNALS),
    )
    for name, attempt in attempts.items()
}  # fmt: skip

_IMPORTS = (
    "import asyncio, ctypes as C, fcntl, glob, importlib.machinery, io, linecache, mmap, os, pathlib, pwd, resource, socket, "
    "sqlite3, struct, subprocess, sys, tempfile, urllib.request, zipimport\nL = C.CDLL(None, use_errno=True)\n"
)


def program(planted: Mapping[str, Any], attempts: Mapping[str, Attempt]) -> str:
    """Return one program that makes all attempts, one after the other, and has what each got in `result`."""
    made = [f"P = {dict(planted)!r}\nCANARY = {CANARY!r}\nresult = {{}}\n"]
    for number, (name, attempt) in enumerate(attempts.items()):
        body = "\n".join(f"    {line}" for line in attempt.body.splitlines())
        made.append(f"def attempt_{number}():\n{body}\n")
        made.append(f"try:\n    got = attempt_{number}()\nexcept BaseException as e:\n    got = None\n")
        made.append(f"result[{name!r}] = repr(got)[:200] if got is not None and got is not False and got != [] else None\n")
    return _IMPORTS + "".join(made)
