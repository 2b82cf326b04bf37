# Chapter 1: a client that knows one address finds out who may let it in.

step "Knock" \
  "Without a token there is no answer, but a challenge that says where to go on." \
  "RFC 9728 section 5.1"
type_in <<SH
BASE=$BASE
SH
send 401 www-authenticate <<'SH'
curl -i -X POST "$BASE/mcp"
SH

step "Read the resource's metadata" \
  "Which authorization server gives tokens for this resource, and which scopes there are." \
  "RFC 9728 section 3"
METADATA=$(field www-authenticate | sed -n 's/.*resource_metadata="\([^"]*\)".*/\1/p')
type_in <<SH
METADATA=$METADATA
SH
send 200 <<'SH'
curl -i "$METADATA"
SH
must_say "\"resource\":\"$BASE/mcp\""

step "Read the authorization server's metadata" \
  "Where to register, to ask, to redeem and to revoke. The issuer must be the one that was named." \
  "RFC 8414 section 3"
type_in <<SH
ISSUER=$(member authorization_servers)
SH
send 200 <<'SH'
curl -i "$ISSUER/.well-known/oauth-authorization-server"
SH
must_say "\"issuer\":\"$ISSUER\""
must_say '"code_challenge_methods_supported":["S256"]'
type_in <<SH
REGISTER=$(member registration_endpoint)
AUTHORIZE=$(member authorization_endpoint)
TOKENS=$(member token_endpoint)
REVOKE=$(member revocation_endpoint)
SH
