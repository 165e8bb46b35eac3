# Binary output to a terminal is refused, but for -o -; a terminal as input, too.
# shellcheck source=tests/cli/lib.sh
. "$TWINCHAIN_SOURCE/tests/cli/lib.sh"

printf 'time,v\n1,1\n' >in.csv
cat >terminal.py <<'END'
import os, pty, sys
# Runs a command with a terminal as its standard output (or input); prints its exit code and what came.
which, command = sys.argv[1], sys.argv[2:]
child, master = pty.fork()
if child == 0:
    if which == "output":
        os.dup2(os.open("in.csv", os.O_RDONLY), 0)
    else:
        os.dup2(os.open("out.twin", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open("err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execvp(command[0], command)
came = b""
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    came += piece
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(came), came[:4].hex())
END
# on_terminal WANTED WHICH COMMAND...
on_terminal() {
  local wanted=$1
  shift
  python3 terminal.py "$@" >said || fail "no terminal"
  # shellcheck disable=SC2053  # a pattern
  [[ $(cat said) == $wanted ]] || fail "$* gave $(cat said)"
}
on_terminal '2 0 ' output twin-record --format csv --source s
expect_stderr 'twin-record: error: binary output to a terminal is refused'
expect_stderr 'hint: redirect it, use -o FILE, or -o - if you mean it'
on_terminal '0 [1-9]* 89545701' output twin-record --format csv --source s -o -
on_terminal '0 0 ' output twin-record --format csv --source s -o a.twin
expect_exit 0 frames cat a.twin
on_terminal '0 [1-9]*' output twin-record --help
on_terminal '2 0 ' input twin-record --format csv --source s
expect_stderr 'twin-record: error: standard input is a terminal'
expect_stderr 'hint: give a file, or pipe rows in'
