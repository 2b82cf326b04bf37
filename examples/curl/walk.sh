#!/bin/sh
# The whole conversation with curl: from knowing nothing but an address to an order, in both protocol
# eras, and a look at what is refused.
#
#   ./walk.sh [BASE]      BASE is where the shop is; http://127.0.0.1:8000 if nothing else is said
#
# Read the chapters in order. Each is a list of steps, and each step can be typed by hand.
set -eu
chapters=$(cd "$(dirname "$0")" && pwd)
BASE=${1:-${BASE:-http://127.0.0.1:8000}}

. "$chapters/lib.sh"
. "$chapters/1-discover.sh"
. "$chapters/2-sign-in.sh"
. "$chapters/3-stateless.sh"
. "$chapters/4-handshake.sh"
. "$chapters/5-refused.sh"

printf '\nAll %d steps went as the specifications say.\n' "$steps"
