# What the chapters share. A step says what it is about, and then:
#
#   send 401 www-authenticate <<'SH'   sends a request. Its answer must have this status; shown are
#                                      the status line, the fields that are named, and the body
#   type_in <<'SH'                     does anything else, such as setting a variable
#   must_say '"error"'                 stops the walk unless the answer contains this text
#
# What is shown after a `$` is what is done, to the letter: it can be typed, or pasted, elsewhere.
# To read the last answer: `field NAME` of its head, `parameter NAME` of the address that it leads
# to, `member NAME` of its JSON, `input NAME` of its form, or all of its `body`.

WORK=$(mktemp -d)                      # answers and cookies are kept here, and thrown away
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
cd "$WORK"
printf 'silent\nmax-time = 30\n' >.curlrc
export CURL_HOME="$WORK"               # so that nobody's own ~/.curlrc changes the walk
steps=0

step() {                               # step TITLE [LINE...]
  steps=$((steps + 1))
  title=$1
  shift
  printf '\n%d. %s\n' "$steps" "$title"
  for line in "$@"; do printf '   %s\n' "$line"; done
}

type_in() {
  typed=$(cat)
  show "$typed"
  eval "$typed"
}

send() {                               # send STATUS [FIELD...]
  typed=$(cat)
  show "$typed"
  eval "$typed" >raw || fail "curl ended with $?; is the shop open at $BASE?"
  tr -d '\r' <raw >answer
  printf '< %s\n' "$(sed -n 1p answer)"
  [ "$(status)" = "$1" ] || fail "the status must be $1, and the answer was: $(readable)"
  shift
  for name in "$@"; do printf '< %s: %s\n' "$name" "$(field "$name")"; done
  shorten
}

show() {
  printf '\n'
  printf '%s\n' "$1" | sed '1s/^/$ /; 2,$s/^/  /'
}

shorten() {                            # the body: how it begins, and how it ends
  readable | fold -w 96 | sed 's/^/  /' >lines
  sed 10q lines
  count=$(grep -c '' lines) || return 0
  [ "$count" -le 13 ] || printf '  ...\n'
  [ "$count" -le 10 ] || sed -n "$((count > 13 ? count - 2 : 11)),\$p" lines
}

must_say() {
  grep -qF -- "$1" answer || fail "the answer must say $1, and it was: $(readable)"
}

must_not_say() {
  ! grep -qF -- "$1" answer || fail "the answer must not say $1, and it was: $(readable)"
}

fail() {
  printf 'walk: step %d, %s: %s\n' "$steps" "$title" "$1" >&2
  exit 1
}

status() {
  sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' answer
}

field() {                              # field NAME, which may be written in any case
  sed '/^$/q' answer | grep -i "^$1:" | sed 's/^[^:]*: *//'
}

body() {
  sed '1,/^$/d' answer
}

readable() {                           # the body, or what a page says
  { body && echo; } | sed -e 's/<[^>]*>/ /g' -e 's/^ *//' -e 's/  */ /g' -e '/^$/d'
}

parameter() {                          # parameter NAME of the address in `location`
  field location | sed "s/.*[?&]$1=\([^&]*\).*/\1/"
}

member() {                             # member NAME: the first text, or item, of that name
  body | grep -o "\"$1\":\[*\"[^\"]*\"" | sed -n '1s/.*"\(.*\)"/\1/p'
}

input() {                              # input NAME: what a form holds under that name
  body | sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" | sed -n 1p
}
